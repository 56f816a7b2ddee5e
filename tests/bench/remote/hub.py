"""What both peers' hubs have in common; their own files load this one, then set their spawner.

Runs as root on the lab's login node, beside Berth's own hub, with the same partition and the same nodes. All
that it writes is in its working directory.
"""

# ruff: noqa: F821 - `c` and `get_config` come from JupyterHub
import os
import socket
from pathlib import Path

PREFIX = Path(os.environ["BENCH_PREFIX"])
PORT = int(os.environ["BENCH_PORT"])
HERE = Path.cwd()

c = get_config()  # type: ignore[name-defined]
c.JupyterHub.bind_url = f"http://0.0.0.0:{PORT}"
c.JupyterHub.hub_bind_url = f"http://0.0.0.0:{PORT + 1}"
c.JupyterHub.hub_connect_url = f"http://{socket.gethostname()}:{PORT + 1}"
c.JupyterHub.db_url = f"sqlite:///{HERE}/hub.sqlite"
c.JupyterHub.cookie_secret_file = str(HERE / "cookie_secret")
# A login would start a session at once, where there is no form.
c.JupyterHub.default_url = "/hub/home"
# The benchmark ends the jobs itself.
c.JupyterHub.cleanup_servers = False
# The same proxy that Berth has.
c.ConfigurableHTTPProxy.command = os.environ["BENCH_PROXY"].split()
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{PORT + 2}"
c.JupyterHub.authenticator_class = "shared-password"
c.Authenticator.allow_all = True
c.SharedPasswordAuthenticator.user_password = os.environ["BENCH_PASSWORD"]
c.Spawner.http_timeout = 120
# Root needs no sudo, which the lab does not have.
c.SlurmSpawner.exec_prefix = "runuser --preserve-environment -u {username} --"
