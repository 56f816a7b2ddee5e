"""The three hubs that are measured, running: Berth's own, and two peers as units of the login node."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import httpx

from tests.bench.hub import Hub, Wish
from tests.bench.install import PREFIX, REMOTE
from tests.bench.stage import ACCOUNT, ANSWER_SECONDS, login
from tests.lab.cluster import PARTITION
from tests.lab.machines import lab
from tests.lab.visitor import trust
from tests.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def berth(password: str) -> Iterator[Hub]:
    """Berth as it is deployed, through nginx, TLS and the proxy."""

    def options(wish: Wish) -> dict[str, str]:
        fixed = {"account": ACCOUNT, "cores": "1", "gpus": "0", "time": "00:30:00"}
        return fixed | {"memory": wish.memory, "reservation": wish.reservation}

    hub = Hub(
        name="Berth",
        url=lab().url,
        port=8081,
        owners=frozenset({"berth-hub"}),
        page="/hub/spawn",
        options=options,
        password=password,
        trust=trust(),
        stream="/hub/berth/api/availability",
        script=f"/hub/berth/api/advice?{urlencode(options(Wish()))}",
    )
    with _running(hub):
        yield hub


@contextmanager
def stock(password: str) -> Iterator[Hub]:
    """JupyterHub with batchspawner. It has no form: its page to start from is the home page."""

    def options(wish: Wish) -> dict[str, str]:
        chosen = {"memory": wish.memory, "options": f"--account={ACCOUNT}", "reservation": wish.reservation}
        return chosen | _stand_in(wish)

    url = _url(8500)
    hub = Hub("stock batchspawner", url, 8501, frozenset(), "/hub/home", options, password, trust())
    with _peer(hub, "stock_hub.py"):
        yield hub


@contextmanager
def moss(password: str) -> Iterator[Hub]:
    """JupyterHub with jupyterhub-moss. What its form's handler would make of a form is sent by REST."""

    def options(wish: Wish) -> dict[str, str]:
        chosen = {
            "partition": PARTITION,
            "runtime": "00:30:00",
            "nprocs": "1",
            "memory": wish.memory,
            "reservation": wish.reservation,
            "options": f"--account={ACCOUNT}",
            "output": "/dev/null",
            "environment_id": "default",
            "environment_path": f"{PREFIX}/bin",
            "environment_modules": "",
            "default_url": "/lab",
            "root_dir": "",
            "gres": "",
            "prologue": f'export PATH="{PREFIX}/bin:$PATH"',
        }
        return chosen | _stand_in(wish)

    url = _url(8600)
    hub = Hub("jupyterhub-moss", url, 8601, frozenset(), "/hub/spawn", options, password, trust())
    with _peer(hub, "moss_hub.py"):
        yield hub


def _stand_in(wish: Wish) -> dict[str, str]:
    # Whatever the script's template has as {{cmd}} can be given as an option.
    return {"cmd": f"{REMOTE}/stand_in.py"} if wish.stand_in else {}


@contextmanager
def _peer(hub: Hub, config: str) -> Iterator[None]:
    machine, unit = login(), f"berth-bench-{Path(config).stem.replace('_', '-')}"
    environment = {
        "HOME": "/root",
        "BENCH_PREFIX": PREFIX,
        "BENCH_PARTITION": PARTITION,
        "BENCH_PORT": str(hub.port - 1),
        "BENCH_PASSWORD": hub.password,
        "BENCH_PROXY": _proxy_command(),
    }
    _remove(unit)
    machine.run(
        *("systemd-run", "--quiet", "--collect", f"--unit={unit}", f"--property=StateDirectory={unit}"),
        *("--property=TimeoutStopSec=20", f"--working-directory=/var/lib/{unit}"),
        *(f"--setenv={key}={value}" for key, value in environment.items()),
        *(f"{PREFIX}/bin/jupyterhub", "-f", f"{REMOTE}/{config}"),
    )
    try:
        with _running(hub):
            yield
    finally:
        _remove(unit)


def _remove(unit: str) -> None:
    login().attempt("systemctl", "stop", unit)
    # On the same kind of file system as Berth's: a database that writes to a disk makes its hub wait.
    login().run("rm", "-rf", f"/var/lib/{unit}")


def _url(port: int) -> str:
    return f"http://{login().run('hostname', '-i').split()[0]}:{port}"


@contextmanager
def _running(hub: Hub) -> Iterator[None]:
    def answers() -> bool:
        try:
            answer = httpx.get(f"{hub.url}/hub/api/", verify=hub.trust, trust_env=False)
        except httpx.HTTPError:
            return False
        return answer.status_code == httpx.codes.OK

    try:
        until(answers, f"an answer of {hub.name}", ANSWER_SECONDS)
        yield
    finally:
        hub.close()


def _proxy_command() -> str:
    """The command of Berth's own proxy, without its arguments: all hubs use the same one."""
    machine = login()
    words = machine.run("ps", "-o", "args=", "-p", machine.property("berth-proxy", "MainPID")).split()
    node, script = words[0], next(word for word in words if word.endswith("bin/configurable-http-proxy"))
    return f"{node} {script}"
