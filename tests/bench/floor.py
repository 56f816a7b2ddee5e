"""The floor: plain JupyterLab started by srun, with no hub at all."""

from __future__ import annotations

import subprocess
import time
from typing import Final

import httpx

from tests.bench.install import PREFIX
from tests.bench.stage import ACCOUNT, cancel_jobs, login
from tests.bench.waiting import seconds_until
from tests.lab.cluster import OPEN_NODE, PARTITION
from tests.lab.machines import Machine

PORT: Final = 39999
QUIET: Final = subprocess.DEVNULL


def seconds(user: str) -> float:
    """Time `srun jupyter lab` from the command to the first answer of its server."""
    node = OPEN_NODE.name
    argv = [
        *("docker", "exec", "-u", user, "-w", f"/home/{user}", "-e", f"HOME=/home/{user}", login().container),
        *("srun", f"--partition={PARTITION}", f"--account={ACCOUNT}", f"--nodelist={node}"),
        *("-N1", "-n1", "-c1", "--mem=1000M", "--time=30"),
        *(f"{PREFIX}/bin/jupyter", "lab", "--no-browser", "--ip=0.0.0.0", f"--port={PORT}"),
        *("--ServerApp.port_retries=0", "--ServerApp.token=bench"),
    ]
    address = Machine(node).run("hostname", "-i").split()[0]
    with httpx.Client(timeout=5, trust_env=False) as client:
        began = time.time()
        process = subprocess.Popen(argv, stdout=QUIET, stderr=QUIET)
        try:
            return seconds_until(client, f"http://{address}:{PORT}/api", began)
        finally:
            cancel_jobs()
            process.wait()
