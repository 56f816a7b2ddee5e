"""The hub's own URLs: the report of a session, and the availability of the partition."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

from jupyterhub.apihandlers import APIHandler
from jupyterhub.handlers import BaseHandler
from jupyterhub.scopes import needs_scope
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tornado import web
from tornado.iostream import StreamClosedError
from tornado.web import StaticFileHandler

from berth.hub import availability
from berth.hub.assets import DIRECTORY
from berth.hub.history_page import HistoryHandler
from berth.hub.localized import LanguageHandler
from berth.hub.spawn_page import SpawnPage
from berth.hub.spawner import BerthSpawner

if TYPE_CHECKING:
    from berth.hub.service import Service

KEEP_ALIVE_SECONDS = 15.0
CANCEL_SECONDS = 5.0
"""How long a cancelled start may take to let go."""


class _Report(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    port: int = Field(ge=1024, le=65535)
    ready: bool


class SessionReportHandler(APIHandler):
    """`POST /hub/api/berth/session`: a session says on which port it serves.

    Authenticated by that session's own token and nothing else; takes a port of the site's range and the
    ready flag. The address is taken from Slurm. Answers 204, and 204 again when repeated.
    """

    def check_xsrf_cookie(self) -> None:
        """Cookies are not accepted here, so there is nothing to forge."""

    async def post(self) -> None:
        """Take the report."""
        token = self.get_token()
        if token is None or token.user is None:
            raise web.HTTPError(403, "send the session's own token")
        spawner = self._spawner_of(token.user.name, token.id)
        try:
            report = _Report.model_validate_json(self.request.body)
        except ValidationError as error:
            raise web.HTTPError(400, "send {port: number, ready: true}") from error
        low, high = self.settings["berth"].hub.session.port_range
        if not low <= report.port <= high:
            raise web.HTTPError(400, f"the port must be from {low} to {high}")
        if report.ready:
            spawner.session_reported(report.port)
        self.set_status(204)
        self.finish()

    def _spawner_of(self, user_name: str, token_id: int) -> BerthSpawner:
        user = self.find_user(user_name)
        for spawner in user.spawners.values() if user is not None else ():
            if isinstance(spawner, BerthSpawner) and spawner.token_id == token_id:
                return spawner
        raise web.HTTPError(404, "the hub has no session with this token")


class AvailabilityHandler(BaseHandler):
    """`GET /hub/berth/api/availability`: JSON once, or a stream with `Accept: text/event-stream`."""

    def set_default_headers(self) -> None:
        """Answers are only true for a moment."""
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")

    @web.authenticated
    async def get(self) -> None:
        """Answer a logged-in user."""
        service: Service = self.settings["berth"]
        if "text/event-stream" in self.request.headers.get("Accept", ""):
            await self._stream(service)
            return
        self.set_header("Content-Type", "application/json")
        self.finish(self._document(service))

    def _document(self, service: Service) -> str:
        table = availability.table(service.collector.snapshot, time.time())
        return json.dumps(table.to_dict())

    async def _stream(self, service: Service) -> None:
        self.set_header("Content-Type", "text/event-stream")
        sent = ""
        try:
            while not self.request.connection.stream.closed():
                document = self._document(service)
                self.write(f"data: {document}\n\n" if document != sent else ":\n\n")
                sent = document
                await self.flush()
                await service.collector.changed(KEEP_ALIVE_SECONDS)
        except (StreamClosedError, asyncio.CancelledError):
            return

    def get_login_url(self) -> str:
        """Answer 403 to whoever is not logged in: a program cannot use a login page."""
        raise web.HTTPError(403, "log in first")


class StopHandler(BaseHandler):
    """`POST /hub/berth/stop/NAME`: the button "Stop my server" and the button "Cancel" of a waiting start.

    A form of our own, so that ending a session needs no JavaScript.
    """

    @web.authenticated
    @needs_scope("delete:servers")
    async def post(self, user_name: str) -> None:
        """Stop or cancel, then show the state of the session."""
        user = self.find_user(user_name)
        if user is None:
            raise web.HTTPError(404, "no such user")
        spawner = user.spawner
        if spawner.pending == "spawn" and spawner._spawn_future is not None:  # noqa: SLF001
            spawner._spawn_future.cancel()  # noqa: SLF001
            await asyncio.wait({spawner._spawn_future}, timeout=CANCEL_SECONDS)  # noqa: SLF001
        if spawner.active and not spawner.pending:
            await self.stop_single_user(user)
        self.redirect(self.hub.base_url + "home")


HANDLERS: list[tuple[Any, ...]] = [
    (r"/api/berth/session", SessionReportHandler),
    (r"/berth/api/availability", AvailabilityHandler),
    (r"/berth/stop/(?P<user_name>[^/]+)", StopHandler),
    (r"/berth/history", HistoryHandler),
    (r"/spawn", SpawnPage),
    (r"/spawn/([^/]+)", SpawnPage),
    (r"/berth/language/(?P<code>[a-z]+)", LanguageHandler),
    (r"/berth/static/(.*)", StaticFileHandler, {"path": str(DIRECTORY)}),
]
