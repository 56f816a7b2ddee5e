"""JupyterHub with jupyterhub-moss as its documentation sets it up."""

# ruff: noqa: F821 - `c`, `get_config` and `load_subconfig` come from JupyterHub
import os
from pathlib import Path

import batchspawner  # noqa: F401 - registers its API entry, as its documentation asks
import jupyterhub_moss

load_subconfig("hub.py", path=str(Path(__file__).parent))  # type: ignore[name-defined]
c = get_config()  # type: ignore[name-defined]

jupyterhub_moss.set_config(c)
c.MOSlurmSpawner.partitions = {
    os.environ["BENCH_PARTITION"]: {
        "architecture": "x86_64",
        "description": "The partition of the benchmark",
        "simple": True,
        "jupyter_environments": {
            "default": {"description": "JupyterLab", "path": f"{os.environ['BENCH_PREFIX']}/bin"},
        },
    },
}
