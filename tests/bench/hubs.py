"""The hubs that are measured, and how all of them are asked alike: log in, start, look, stop."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx

from tests.bench.install import PREFIX, REMOTE
from tests.bench.stage import ACCOUNT, ANSWER_SECONDS, MEMORY, login
from tests.lab.cluster import COURSE, PARTITION
from tests.lab.machines import lab
from tests.lab.visitor import Visitor, trust
from tests.lab.waiting import TooLateError, until

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator, Mapping

AT_A_TIME: Final = 30
"""How many sessions are asked for, or stopped, at the same time."""
REQUEST_SECONDS: Final = 120.0
"""How long a hub with that many requests may take for one."""
START_SECONDS: Final = 240.0
FAILURES: Final = (httpx.HTTPError, RuntimeError, TimeoutError, TooLateError)
"""What a measurement notes in its table, instead of being ended by it."""


def reason(error: BaseException) -> str:
    """Why something failed, in one line."""
    return (str(error) or type(error).__name__).splitlines()[0]


@dataclass(frozen=True)
class Wish:
    """What a session is asked for. Memory in Slurm's notation."""

    memory: str = "1G"
    reservation: str = ""
    stand_in: bool = False
    """Whether a few lines of Python will do for the server, where the hub lets us choose."""


@dataclass
class Hub:
    """One hub under test."""

    name: str
    url: str
    port: int
    """Its own port on the login node, behind its proxy."""
    owners: frozenset[str]
    """Whose queries to Slurm are the hub's, besides those in the name of its users."""
    page: str
    """What a user opens in order to start a session: the form, where there is one."""
    options: Callable[[Wish], dict[str, str]]
    password: str
    trust: ssl.SSLContext
    stream: str = ""
    """The event stream that the form's page listens to."""
    _visitors: dict[str, Visitor] = field(default_factory=dict)

    def visitor(self, user: str) -> Visitor:
        """The user, logged in."""
        if user not in self._visitors:
            visitor = Visitor(user, self.trust, self.url)
            visitor.log_in(self.password).raise_for_status()
            if visitor.server() is not None:
                raise RuntimeError(f"{self.name}: a session of {user} was there before it was asked for")
            self._visitors[user] = visitor
        return self._visitors[user]

    def request(self, user: str, wish: Wish) -> None:
        """Ask for a session; the hub answers when it is ready, or else after some seconds."""
        visitor = self.visitor(user)
        chosen = self.options(wish)
        visitor.hub("POST", f"users/{user}/server", json=chosen, timeout=REQUEST_SECONDS).raise_for_status()

    def start(self, wishes: Mapping[str, Wish], *, ready: bool = True) -> None:
        """Have a session of each user; wait until they are ready, or only until all were asked for."""
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            list(pool.map(lambda item: self.request(*item), wishes.items()))
        if ready:
            until(lambda: all(map(self._ready, wishes)), f"ready sessions at {self.name}", START_SECONDS)

    def _ready(self, user: str) -> bool:
        server = self.visitor(user).server()
        if server is None:
            raise RuntimeError(f"{self.name}: the start of {user} failed")
        return bool(server["ready"])

    def stop(self, users: Iterable[str]) -> None:
        """End the sessions of users, whatever their state, and wait until the hub says that they are gone."""
        names = tuple(users)
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            list(pool.map(self._stop, names))
        until(
            lambda: all(self.visitor(user).server() is None for user in names),
            f"ended sessions at {self.name}",
            ANSWER_SECONDS,
        )

    def _stop(self, user: str) -> None:
        if self.visitor(user).server() is not None:
            self.visitor(user).hub("DELETE", f"users/{user}/server", timeout=REQUEST_SECONDS)

    def close(self) -> None:
        """Close all connections."""
        for visitor in self._visitors.values():
            visitor.http.close()


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


def small(users: Iterable[str]) -> dict[str, Wish]:
    """Wish small sessions for users, every other one by reservation, so that they fill all nodes alike."""
    return {
        user: Wish(MEMORY, COURSE if number % 2 else "", stand_in=True) for number, user in enumerate(users)
    }
