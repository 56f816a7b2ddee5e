"""The three that are timed: Berth, stock batchspawner, and the floor (plain JupyterLab started by srun)."""

from __future__ import annotations

import secrets
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import httpx

from tests.lab.machines import LOGIN, ROOT, Machine, lab
from tests.lab.slurm import Slurm
from tests.lab.visitor import Visitor, trust
from tests.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

USER = "alice"
PREFIX = "/opt/berth/bench"
FLOOR_PORT = 39999
PAUSE_SECONDS = 0.02
LIMIT_SECONDS = 180.0
SRUN = (
    "srun",
    "--partition=interactive",
    "--account=proj_a",
    "-N1",
    "-n1",
    "-c1",
    "--mem=1000M",
    "--time=30",
)


def install() -> None:
    """Install the peers from their hash lock into the shared file system, unless they are there."""
    login = Machine(LOGIN)
    if login.attempt("test", "-e", f"{PREFIX}/.complete").rc == 0:
        return
    login.run("python3", "-m", "venv", "--clear", PREFIX)
    lock = ROOT / "requirements/bench.txt"
    command = ["docker", "cp", str(lock), f"{login.container}:{PREFIX}/lock.txt"]
    subprocess.run(command, check=True, capture_output=True)
    bundle = "if [ -e /etc/ssl/lab-ca-bundle.pem ]; then export PIP_CERT=/etc/ssl/lab-ca-bundle.pem; fi; "
    login.shell(f"{bundle}{PREFIX}/bin/pip install --quiet --require-hashes -r {PREFIX}/lock.txt")
    login.shell(f"{PREFIX}/bin/python -m compileall -q {PREFIX}/lib; touch {PREFIX}/.complete")


def seconds_until(begin: Callable[[], object], answered: Callable[[], bool]) -> float:
    """Time from `begin` to the first time that `answered` is true."""
    start = time.perf_counter()
    begin()
    while not answered():
        if time.perf_counter() - start > LIMIT_SECONDS:
            message = f"no answer within {LIMIT_SECONDS:g} seconds"
            raise TimeoutError(message)
        time.sleep(PAUSE_SECONDS)
    return time.perf_counter() - start


def _answers(client: httpx.Client, url: str) -> bool:
    try:
        response = client.get(url)
    except httpx.HTTPError:
        return False
    return response.status_code == httpx.codes.OK and "version" in response.text


def _address(machine: str) -> str:
    return Machine(machine).run("hostname", "-i").split()[0]


def floor() -> float:
    """Time `srun jupyter lab` from the command to the first answer of its server."""
    node = "gpu1"
    argv = [
        *("docker", "exec", "-u", USER, "-w", f"/home/{USER}", "-e", f"HOME=/home/{USER}"),
        *(Machine(LOGIN).container, *SRUN, f"--nodelist={node}"),
        *(f"{PREFIX}/bin/jupyter", "lab", "--no-browser", "--ip=0.0.0.0", f"--port={FLOOR_PORT}"),
        *("--ServerApp.port_retries=0", "--ServerApp.token=bench"),
    ]
    url = f"http://{_address(node)}:{FLOOR_PORT}/api"
    processes: list[subprocess.Popen[bytes]] = []

    def begin() -> None:
        quiet = subprocess.DEVNULL
        processes.append(subprocess.Popen(argv, stdout=quiet, stderr=quiet))

    with httpx.Client(timeout=5, trust_env=False) as client:
        try:
            return seconds_until(begin, lambda: _answers(client, url))
        finally:
            _cancel_all()
            for process in processes:
                process.wait()


def _cancel_all() -> None:
    slurm = Slurm(Machine(LOGIN))
    slurm.cancel(*slurm.queue(USER))


def berth() -> float:
    """Time Berth from the request for a session to its first answer through TLS and the proxy."""
    with Visitor(USER, trust()) as visitor:
        visitor.log_in()
        headers = {"Authorization": f"token {visitor.token()}"}
        options = {"memory": "1G", "cores": "1", "gpus": "0"}
        with httpx.Client(base_url=lab().url, verify=trust(), timeout=60, trust_env=False) as client:

            def begin() -> None:
                path = f"/hub/api/users/{USER}/server"
                _in_background(lambda: client.post(path, headers=headers, json=options))

            with httpx.Client(base_url=lab().url, verify=trust(), timeout=5, trust_env=False) as asker:
                try:
                    return seconds_until(begin, lambda: _answers(asker, f"/user/{USER}/api"))
                finally:
                    visitor.stop()
                    _cancel_all()


def _in_background(call: Callable[[], httpx.Response]) -> None:

    Thread(target=lambda: call().raise_for_status(), daemon=True).start()


@contextmanager
def stock_hub() -> Iterator[Callable[[], float]]:
    """Run the stock hub on the login node; gives a function that times one start."""
    login = Machine(LOGIN)
    token = secrets.token_hex(16)
    script = Path(__file__).with_name("stock_hub.py")
    for command in (
        ["docker", "cp", str(script), f"{login.container}:{PREFIX}/stock_hub.py"],
        [
            *("docker", "exec", "-d", "-e", f"BENCH_TOKEN={token}", "-e", f"BENCH_PREFIX={PREFIX}"),
            *("-e", f"BENCH_PROXY={_proxy_command(login)}", "-w", PREFIX, login.container),
            *(f"{PREFIX}/bin/jupyterhub", "-f", f"{PREFIX}/stock_hub.py"),
        ],
    ):
        subprocess.run(command, check=True, capture_output=True)
    base = f"http://{_address(LOGIN)}:8500"
    headers = {"Authorization": f"token {token}"}
    with httpx.Client(base_url=base, headers=headers, timeout=60, trust_env=False) as client:
        until(lambda: _reachable(client), "the stock hub", 60)
        client.post(f"/hub/api/users/{USER}")
        try:
            yield lambda: _time_stock(client)
        finally:
            login.attempt("pkill", "-f", f"{PREFIX}/bin/jupyterhub")
            login.shell("rm -f /tmp/bench-hub.sqlite /tmp/bench-cookie-secret /tmp/jupyterhub-proxy.pid")
            _cancel_all()


def _reachable(client: httpx.Client) -> bool:
    try:
        return client.get("/hub/api/").status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _proxy_command(login: Machine) -> str:
    """The command of Berth's own proxy, without its arguments: both hubs use the same one."""
    words = login.run("ps", "-o", "args=", "-p", login.property("berth-proxy", "MainPID")).split()
    node, script = words[0], next(word for word in words if word.endswith("bin/configurable-http-proxy"))
    return f"{node} {script}"


def _time_stock(client: httpx.Client) -> float:
    path = f"/hub/api/users/{USER}/server"
    try:
        return seconds_until(
            lambda: _in_background(lambda: client.post(path, json={})),
            lambda: _answers(client, f"/user/{USER}/api"),
        )
    finally:
        client.delete(path)
        until(
            lambda: not client.get(f"/hub/api/users/{USER}").json()["servers"], "an ended stock session", 60
        )
        _cancel_all()
