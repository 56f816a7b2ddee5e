"""The floor: plain JupyterLab started by srun, with no hub at all."""

from __future__ import annotations

import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import httpx

from tests.bench.install import PREFIX
from tests.bench.stage import ACCOUNT, cancel_jobs, login
from tests.bench.waiting import seconds_until
from tests.lab.cluster import OPEN_NODE, PARTITION
from tests.lab.machines import Machine

if TYPE_CHECKING:
    from collections.abc import Iterator

PORT: Final = 39999
TOKEN: Final = "bench"
QUIET: Final = subprocess.DEVNULL


@contextmanager
def started(user: str) -> Iterator[tuple[str, float]]:
    """Run `srun jupyter lab`; gives the URL of its server and when the command began (Unix time)."""
    node = OPEN_NODE.name
    argv = [
        *("docker", "exec", "-u", user, "-w", f"/home/{user}", "-e", f"HOME=/home/{user}", login().container),
        *("srun", f"--partition={PARTITION}", f"--account={ACCOUNT}", f"--nodelist={node}"),
        *("-N1", "-n1", "-c1", "--mem=1000M", "--time=30"),
        *(f"{PREFIX}/bin/jupyter", "lab", "--no-browser", "--ip=0.0.0.0", f"--port={PORT}"),
        *("--ServerApp.port_retries=0", f"--ServerApp.token={TOKEN}"),
    ]
    address = Machine(node).run("hostname", "-i").split()[0]
    began = time.time()
    process = subprocess.Popen(argv, stdout=QUIET, stderr=QUIET)
    try:
        yield f"http://{address}:{PORT}", began
    finally:
        cancel_jobs()
        process.wait()


def seconds(user: str) -> float:
    """Time it from the command to the first answer of its server."""
    with httpx.Client(timeout=5, trust_env=False) as client, started(user) as (url, began):
        return seconds_until(client, f"{url}/api", began)
