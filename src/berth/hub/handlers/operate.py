"""`/hub/api/berth/…` for operators: what the commands `berth sessions|announce|maintenance` ask the hub.

All of it needs the scope `admin-ui`; sessions need those for servers, too. Times are ISO 8601 with a zone.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from jupyterhub.apihandlers import APIHandler
from jupyterhub.scopes import needs_scope
from pydantic import BaseModel, ConfigDict, ValidationError
from tornado import web

from berth.hub.operate import ending, overview
from berth.hub.operate.board import BoardError
from berth.hub.operate.notices import Announcement, Line, Maintenance

if TYPE_CHECKING:
    from berth.hub.operate.board import Board
    from berth.hub.service import Service


class _End(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    sessions: list[str] | None
    """Named `USER` or `USER/SERVER`; None: all."""
    message: Line


class _Handler(APIHandler):
    """What they have in common."""

    @property
    def service(self) -> Service:
        """What all handlers share."""
        service: Service = self.settings["berth"]
        return service

    @property
    def board(self) -> Board:
        """Where notices are kept."""
        return self.service.board

    def read(self, model: type[Any]) -> Any:  # noqa: ANN401 - an instance of the model
        """Return the body as a model. Answers 400 with a line for each wrong key."""
        try:
            return model.model_validate_json(self.request.body)
        except ValidationError as error:
            lines = [f"{'.'.join(map(str, item['loc'])) or 'body'}: {item['msg']}" for item in error.errors()]
            raise _Wrong("; ".join(lines)) from error

    def note(self, what: str) -> None:
        """Tell the journal who did what."""
        self.log.warning("%s %s", self.current_user.name, what)


class _Wrong(web.HTTPError):
    """What was sent is refused with a sentence, which may hold any character."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(status, sentence.replace("%", "%%"))
        self.jupyterhub_message = sentence


class SessionsAPIHandler(_Handler):
    """`GET /hub/api/berth/sessions`: `{asked_at, error, sessions: […]}` (see `overview.Row`)."""

    @needs_scope("admin-ui")
    async def get(self) -> None:
        """List them."""
        self._list()

    @needs_scope("read:servers")
    def _list(self) -> None:
        part = self.service.collector.snapshot.jobs_part
        listed = [row.to_dict() for row in overview.rows(self.service, self.db)]
        self.finish({"asked_at": part.asked_at or None, "error": part.error, "sessions": listed})


class EndSessionsAPIHandler(_Handler):
    """`POST /hub/api/berth/sessions/stop` with `{sessions: ["USER", …] | null, message}`.

    Answers `{ended: […]}`, the sessions whose end was ordered: it may take longer than the answer. 404 where
    one that is named is not there; then none is ended.
    """

    @needs_scope("admin-ui")
    async def post(self) -> None:
        """End them."""
        await self._end()

    @needs_scope("delete:servers")
    async def _end(self) -> None:
        asked = self.read(_End)
        there = {
            row.name: (row.user, row.server)
            for row in overview.rows(self.service, self.db)
            if row.state != "STOPPING"
        }
        names = sorted(there) if asked.sessions is None else asked.sessions
        if missing := [name for name in names if name not in there]:
            raise _Wrong(f"There is no session of {', '.join(missing)}; none was ended.", 404)
        ended = await ending.end_all(self, [there[name] for name in dict.fromkeys(names)], asked.message)
        self.finish({"ended": [f"{user}/{server}" if server else user for user, server in ended]})


class AnnouncementsHandler(_Handler):
    """`/hub/api/berth/announcements`: GET lists them; POST keeps `{text, level, from, until}`."""

    @needs_scope("admin-ui")
    async def get(self) -> None:
        """List what is shown or will be."""
        found = self.board.announcements(time.time())
        self.finish({"announcements": [item.to_dict() for item in found]})

    @needs_scope("admin-ui")
    async def post(self) -> None:
        """Keep one, and answer with it and its `id`."""
        try:
            kept = self.board.announce(self.read(Announcement))
        except BoardError as error:
            raise _Wrong(str(error)) from error
        self.note(f"announces {kept.id}: {kept.text}")
        self.set_status(201)
        self.finish(kept.to_dict())


class AnnouncementHandler(_Handler):
    """`DELETE /hub/api/berth/announcements/ID`."""

    @needs_scope("admin-ui")
    async def delete(self, name: str) -> None:
        """Take it back."""
        try:
            self.board.remove(name)
        except BoardError as error:
            raise _Wrong(str(error), 404) from error
        self.note(f"removes the announcement {name}")
        self.set_status(204)


class MaintenanceHandler(_Handler):
    """`/hub/api/berth/maintenance`: GET says what is set; PUT sets `{text, from, until}`; DELETE ends it."""

    @needs_scope("admin-ui")
    async def get(self) -> None:
        """Answer `{maintenance: {…} | null, active: …}`."""
        now = time.time()
        found = self.board.maintenance(now)
        active = found is not None and found.active(now)
        self.finish({"maintenance": None if found is None else found.to_dict(), "active": active})

    @needs_scope("admin-ui")
    async def put(self) -> None:
        """Set it, in the place of the one that there is."""
        maintenance = self.read(Maintenance)
        self._set(maintenance)
        self.note(f"sets a maintenance from {maintenance.start} until {maintenance.until}")
        await self.get()

    @needs_scope("admin-ui")
    async def delete(self) -> None:
        """End it: new sessions start again."""
        self._set(None)
        self.note("ends the maintenance")
        self.set_status(204)

    def _set(self, maintenance: Maintenance | None) -> None:
        try:
            self.board.set_maintenance(maintenance)
        except BoardError as error:
            raise _Wrong(str(error)) from error
