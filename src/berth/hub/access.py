"""A line for each request to the hub, and for each that failed, without anything that could be a secret."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, Final

from jupyterhub.handlers.metrics import MetricsHandler
from jupyterhub.handlers.pages import HealthCheckHandler
from jupyterhub.metrics import prometheus_log_method
from tornado.log import access_log
from tornado.web import HTTPError, RequestHandler, StaticFileHandler

from berth.hub.session import story
from berth.hub.session.tellingspawner import TellingSpawner
from berth.journal import Event

if TYPE_CHECKING:
    from types import TracebackType

    from jupyterhub.user import User

_QUIET: Final = (StaticFileHandler, HealthCheckHandler, MetricsHandler)
"""Handlers whose successes nobody needs to read."""
_SECRET: Final = re.compile(r"(/api/authorizations/[^/]+/).*")
"""Paths that end in a token or a cookie."""


def path(handler: RequestHandler) -> str:
    """Return the path of a request: neither its query nor a secret in it."""
    return _SECRET.sub(r"\1[secret]", handler.request.path)


def log_request(handler: RequestHandler) -> None:
    """Log a request that was answered; instead of JupyterHub's own, with the same levels."""
    status, request = handler.get_status(), handler.request
    fields = {
        "status": status,
        "method": request.method,
        "path": path(handler),
        "user": _user(handler),
        "ip": request.remote_ip,
        "seconds": request.request_time(),
    }
    access_log.log(_level(handler), Event("request", fields))
    # Whatever stands for the method becomes a label there, and anybody may send anything.
    if request.method in RequestHandler.SUPPORTED_METHODS:
        prometheus_log_method(handler)


def _level(handler: RequestHandler) -> int:
    status = handler.get_status()
    if status == 304 or (status < 300 and isinstance(handler, _QUIET)):  # noqa: PLR2004 - HTTP's own
        return logging.DEBUG
    if status < 400:  # noqa: PLR2004
        return logging.INFO
    return logging.WARNING if status < 500 else logging.ERROR  # noqa: PLR2004


def _user(handler: RequestHandler) -> str | None:
    try:
        user: Any = handler.current_user
    except (HTTPError, RuntimeError):
        return None
    return getattr(user, "name", None)


class Told:
    """Mixed into the hub's handlers: errors without the query of the request, and who ends a session."""

    async def stop_single_user(self, user: User, server_name: str = "") -> Any:  # noqa: ANN401 - JupyterHub's
        """Stop a session, and say who asked for it."""
        handler: Any = super()
        actor: Any = self
        spawner = user.spawners.get(server_name)
        if isinstance(spawner, TellingSpawner):
            story.stop_asked(spawner.owner, spawner.record, actor.current_user.name)
        return await handler.stop_single_user(user, server_name)

    def log_exception(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Log what went wrong with a request."""
        handler: Any = self
        fields = {"method": handler.request.method, "path": path(handler), "user": _user(handler)}
        if not isinstance(error, HTTPError):
            fields["msg"] = f"Uncaught {kind.__name__ if kind else 'error'}"
            handler.log.error(Event("request-failed", fields), exc_info=(kind, error, trace))
        elif said := error.get_message():
            handler.log.warning(Event("request-failed", {"status": error.status_code, **fields, "msg": said}))
