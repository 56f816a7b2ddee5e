"""The token with which Prometheus reads `/hub/metrics`, and which is good for nothing else.

systemd reads it as root from a file that nobody else can read, and hands it to the hub, as it does the secret
that hub and proxy share. JupyterHub's database has its hash.
"""

from __future__ import annotations

import os
from typing import Any, Final

from berth.hub.settings import SettingsError

SERVICE: Final = "prometheus"
"""Whose token it is, in JupyterHub's terms."""
VARIABLE: Final = "BERTH_METRICS_TOKEN"
"""Where it stands in the hub's environment at its start, and only then."""
MIN_LENGTH: Final = 32


def take() -> str | None:
    """Take the token out of the environment, which programs that the hub starts would inherit.

    None where there is none: then nobody but an admin reads the metrics. Raises SettingsError for one that is
    too short to be a secret.
    """
    token = os.environ.pop(VARIABLE, None)
    if token is None:
        return None
    if len(token) < MIN_LENGTH or not token.isprintable() or " " in token:
        raise SettingsError(f"the token for metrics needs at least {MIN_LENGTH} letters and digits")
    return token


def set_service(c: Any, token: str | None) -> None:  # noqa: ANN401 - traitlets' configuration object
    """Have JupyterHub know the token, with the one right that it has."""
    c.JupyterHub.authenticate_prometheus = True
    if token is None:
        return
    # It is as long as one that JupyterHub makes itself: no need to be slow to guess, at every scrape.
    c.JupyterHub.trust_user_provided_tokens = True
    c.JupyterHub.services = [{"name": SERVICE, "api_token": token}]
    c.JupyterHub.load_roles = [
        {
            "name": SERVICE,
            "description": "Read the hub's metrics",
            "scopes": ["read:metrics"],
            "services": [SERVICE],
        }
    ]
