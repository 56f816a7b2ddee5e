"""Turns `/etc/berth/*.yml` into JupyterHub's configuration; also checks those files by itself."""

from __future__ import annotations

import os
import sys
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from berth.hub import access, assets, footer, settings
from berth.hub.app import BerthHub
from berth.hub.auth import HelperAuthenticator
from berth.hub.database import connection
from berth.hub.metrics import token
from berth.hub.oidc.authenticator import OidcAuthenticator
from berth.hub.oidc.settings import SECRET_VARIABLE, OidcSettings
from berth.hub.operate import client, gate, shown
from berth.hub.proxy import PatientProxy
from berth.hub.service import Service
from berth.hub.session.spawner import BerthSpawner

OPERATOR = "berth-operator"
"""The service, in JupyterHub's sense, as which root's commands ask."""
HTTP_TIMEOUT_SECONDS = 120
POLL_SECONDS = 5
SLOW_STOP_SECONDS = 3
PROVIDER_SECONDS = 10.0


def apply(c: Any, directory: str | Path) -> None:  # noqa: ANN401 - traitlets' configuration object
    """Set every option of JupyterHub that Berth decides. Raises SettingsError with sentences."""
    hub, form = settings.load(Path(directory))
    BerthHub.instance().service = Service(hub, form)
    _set_application(c, hub)
    token.set_service(c, token.take())
    _admit_operator(c, os.environ.pop(client.KEY_NAME, ""))
    c.JupyterHub.template_vars = assets.TEMPLATE_VARIABLES | {
        "links": partial(footer.links, form.links),
        "notices": partial(shown.on_page, BerthHub.instance().service.board),
    }
    _set_sign_in(c, hub)
    # The helper decides who may log in (group and lowest uid), so the hub does not decide again.
    c.Authenticator.allow_all = True
    c.Authenticator.admin_users = set(hub.admin_users)
    c.AccountAuthenticator.admin_unix_groups = set(hub.admin_groups)
    c.JupyterHub.spawner_class = BerthSpawner
    c.Spawner.hub_connect_url = hub.session_hub_url
    c.Spawner.env_keep = []
    c.Spawner.disable_user_config = True
    c.Spawner.notebook_dir = "~"
    # Waiting in the queue is part of start(), with a limit of its own; this one only has to be longer.
    c.Spawner.start_timeout = hub.session.queue_timeout_seconds + hub.session.boot_timeout_seconds + 3600
    c.Spawner.http_timeout = HTTP_TIMEOUT_SECONDS
    c.Spawner.poll_interval = POLL_SECONDS
    c.Spawner.consecutive_failure_limit = 0


def _set_sign_in(c: Any, hub: settings.HubSettings) -> None:  # noqa: ANN401
    # Whatever else starts from here shall not have it.
    secret = os.environ.pop(SECRET_VARIABLE, "")
    if hub.oidc is None:
        c.JupyterHub.authenticator_class = HelperAuthenticator
        return
    if not secret:
        message = f"oidc: the client's secret is missing from the hub's environment ({SECRET_VARIABLE})"
        raise settings.SettingsError(message)
    c.JupyterHub.authenticator_class = OidcAuthenticator
    OidcAuthenticator.site, OidcAuthenticator.public_url = hub.oidc, hub.public_url
    c.OidcAuthenticator.login_service = hub.oidc.title
    c.OidcAuthenticator.client_id = hub.oidc.client_id
    c.OidcAuthenticator.client_secret = secret
    c.OidcAuthenticator.scope = list(hub.oidc.scopes)
    c.OidcAuthenticator.oauth_callback_url = f"{hub.public_url}/hub/oauth_callback"
    c.OidcAuthenticator.enable_pkce = True
    c.OidcAuthenticator.http_request_kwargs = _patience(hub.oidc)


def _patience(oidc: OidcSettings) -> dict[str, Any]:
    """Return how the provider is asked."""
    limits = {"connect_timeout": PROVIDER_SECONDS, "request_timeout": PROVIDER_SECONDS}
    return limits | ({"ca_certs": str(oidc.ca)} if oidc.ca else {})


def _set_application(c: Any, hub: settings.HubSettings) -> None:  # noqa: ANN401
    c.JupyterHub.bind_url = hub.proxy_bind_url
    c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{hub.hub_port}"
    c.JupyterHub.db_url = hub.db_url
    if hub.database_url:
        c.JupyterHub.db_kwargs = connection.OPTIONS
    c.JupyterHub.cookie_secret_file = str(hub.state_dir / "cookie_secret")
    c.JupyterHub.cleanup_servers = False
    c.JupyterHub.cleanup_proxy = False
    # It counts starts that wait in the queue; Slurm is what limits starts.
    c.JupyterHub.concurrent_spawn_limit = 0
    c.JupyterHub.allow_named_servers = False
    c.JupyterHub.template_paths = [str(files("berth.hub") / "templates")]
    # JupyterHub marks its other cookies as secure by itself when TLS stands in front.
    # After that long without the proof of an end, a stop goes on while its page says so.
    c.JupyterHub.tornado_settings = {
        "xsrf_cookie_kwargs": {"secure": True},
        "slow_stop_timeout": SLOW_STOP_SECONDS,
        "log_function": access.log_request,
    }
    c.JupyterHub.proxy_class = PatientProxy
    c.ConfigurableHTTPProxy.should_start = False
    c.ConfigurableHTTPProxy.api_url = hub.proxy_api_url


def _admit_operator(c: Any, token: str) -> None:  # noqa: ANN401
    """Let the operator's commands in, with no more rights than they need."""
    if not token:
        return
    c.JupyterHub.services.append({"name": OPERATOR, "api_token": token, "display": False})
    scopes = [gate.SCOPE, "read:servers", "delete:servers"]
    c.JupyterHub.load_roles.append({"name": OPERATOR, "scopes": scopes, "services": [OPERATOR]})


def main(arguments: list[str]) -> int:
    """Check the files of a directory (default `/etc/berth`): `python -m berth.hub.config [DIR]`."""
    try:
        settings.load(Path(arguments[0] if arguments else "/etc/berth"))
    except settings.SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command's answer
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
