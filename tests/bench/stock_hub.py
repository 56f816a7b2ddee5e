"""JupyterHub with batchspawner as their documentation sets them up: the peer of `make bench`.

Runs as root on the lab's login node, beside Berth's own hub, with the same partition and the same node.
"""

# ruff: noqa: F821 - `c` and `get_config` come from JupyterHub
import os

import batchspawner  # noqa: F401 - registers its API entry, as its documentation asks

PREFIX = os.environ["BENCH_PREFIX"]

c = get_config()  # type: ignore[name-defined]
c.JupyterHub.bind_url = "http://0.0.0.0:8500"
c.JupyterHub.hub_bind_url = "http://0.0.0.0:8581"
c.JupyterHub.hub_connect_url = "http://login:8581"
c.JupyterHub.db_url = "sqlite:////tmp/bench-hub.sqlite"
c.JupyterHub.cookie_secret_file = "/tmp/bench-cookie-secret"  # noqa: S108 - thrown away with the lab
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.load_roles = [
    {"name": "bench", "scopes": ["admin:users", "admin:servers", "access:servers"], "services": ["bench"]},
]
c.JupyterHub.services = [{"name": "bench", "api_token": os.environ["BENCH_TOKEN"]}]
c.ConfigurableHTTPProxy.command = os.environ["BENCH_PROXY"].split()
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:8501"
c.JupyterHub.spawner_class = "batchspawner.SlurmSpawner"
c.Spawner.cmd = [f"{PREFIX}/bin/jupyterhub-singleuser"]
c.SlurmSpawner.batchspawner_singleuser_cmd = f"{PREFIX}/bin/batchspawner-singleuser"
c.SlurmSpawner.exec_prefix = "runuser --preserve-environment -u {username} --"
c.SlurmSpawner.req_partition = "interactive"
c.SlurmSpawner.req_account = "proj_a"
c.SlurmSpawner.req_nprocs = "1"
c.SlurmSpawner.req_memory = "1000M"
c.SlurmSpawner.req_runtime = "00:30:00"
c.Spawner.http_timeout = 120
