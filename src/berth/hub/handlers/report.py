"""What a session tells the hub, and what it asks."""

from __future__ import annotations

import time
from typing import Any

from jupyterhub.apihandlers import APIHandler
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from tornado import web

from berth.hub.operate import shown
from berth.hub.session.spawner import BerthSpawner


class _Report(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    port: int = Field(ge=1024, le=65535)
    ready: bool


class _Ending(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    idle_minutes: int = Field(ge=1)


class SessionHandler(APIHandler):
    """Answers to a session that shows its own token, and to nobody else."""

    def check_xsrf_cookie(self) -> None:
        """Cookies are not accepted here, so there is nothing to forge."""

    def document(self, spawner: BerthSpawner) -> dict[str, Any]:
        """Return what a session is told of itself."""
        found = shown.notices(self.settings["berth"].board, time.time())
        return {
            "end": spawner.ends_at(),
            "notices": [notice.to_dict() for notice in found],
            "extension_hours": spawner.extension_hours,
        }

    def spawner(self) -> BerthSpawner:
        """Give the one whose session has sent its token."""
        token = self.get_token()
        if token is None or token.user is None:
            raise web.HTTPError(403, "send the session's own token")
        user = self.find_user(token.user.name)
        for spawner in user.spawners.values() if user is not None else ():
            if isinstance(spawner, BerthSpawner) and spawner.token_id == token.id:
                return spawner
        raise web.HTTPError(404, "the hub has no session with this token")


class SessionReportHandler(SessionHandler):
    """`/hub/api/berth/session`, authenticated by a session's own token and nothing else.

    `POST`: the session says on which port it serves; takes a port of the site's range and the ready flag. The
    address is taken from Slurm. Answers 204, and 204 again when repeated.
    `POST {"idle_minutes": …}`: the session ends by itself, as nobody used it for so long.
    `GET`: `{"end": …, "notices": […], "extension_hours": …}`, the Unix time when Slurm ends the job, null
    while that is not known, what operators announce (see `berth.hub.operate.shown.Notice`), and how many more
    hours the user may ask for, null for none.
    """

    async def get(self) -> None:
        """Say when the session ends, and what its user shall know."""
        self.finish(self.document(self.spawner()))

    async def post(self) -> None:
        """Take the report."""
        spawner = self.spawner()
        report = _read(self.request.body)
        if isinstance(report, _Ending):
            spawner.session_unused(report.idle_minutes)
            self.set_status(204)
            self.finish()
            return
        low, high = self.settings["berth"].hub.session.port_range
        if not low <= report.port <= high:
            raise web.HTTPError(400, f"the port must be from {low} to {high}")
        if report.ready:
            spawner.session_reported(report.port)
        self.set_status(204)
        self.finish()


def _read(body: bytes) -> _Report | _Ending:
    try:
        return TypeAdapter(_Report | _Ending).validate_json(body)
    except ValidationError as error:
        raise web.HTTPError(400, "send {port: number, ready: true} or {idle_minutes: number}") from error
