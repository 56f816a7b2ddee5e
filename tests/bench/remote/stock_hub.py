"""JupyterHub with batchspawner as its documentation sets it up."""

# ruff: noqa: F821 - `c`, `get_config` and `load_subconfig` come from JupyterHub
import os
from pathlib import Path

import batchspawner  # noqa: F401 - registers its API entry, as its documentation asks

load_subconfig("hub.py", path=str(Path(__file__).parent))  # type: ignore[name-defined]
c = get_config()  # type: ignore[name-defined]

BIN = f"{os.environ['BENCH_PREFIX']}/bin"
c.JupyterHub.spawner_class = "batchspawner.SlurmSpawner"
c.Spawner.cmd = [f"{BIN}/jupyterhub-singleuser"]
c.SlurmSpawner.batchspawner_singleuser_cmd = f"{BIN}/batchspawner-singleuser"
c.SlurmSpawner.req_partition = os.environ["BENCH_PARTITION"]
c.SlurmSpawner.req_nprocs = "1"
c.SlurmSpawner.req_runtime = "00:30:00"
