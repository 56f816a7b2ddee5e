"""`/hub/berth/sessions`: all sessions at a glance, and the page on which an operator ends some or all."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from jupyterhub.handlers import BaseHandler
from jupyterhub.scopes import needs_scope
from tornado import web

from berth.hub.form import availability
from berth.hub.form.options import printable
from berth.hub.handlers.base import Refused
from berth.hub.operate import ending, overview
from berth.hub.operate.notices import MAX_LETTERS, line
from berth.hub.texts import words
from berth.hub.texts.text import say

if TYPE_CHECKING:
    from berth.hub.operate.overview import Key, Row
    from berth.hub.service import Service
    from berth.hub.texts.text import Text

LABELS: Final = {
    "user": say("operate.column_user"),
    "job_id": say("operate.column_job_id"),
    "state": say("operate.column_state"),
    "node": say("operate.column_node"),
    "gpus": say("operate.column_gpus"),
    "cores": say("operate.column_cores"),
    "memory_mib": say("operate.column_memory_mib"),
    "release": say("operate.column_release"),
    "interface": say("operate.column_interface"),
    "idle_seconds": say("operate.column_idle_seconds"),
    "left_seconds": say("operate.column_left_seconds"),
}
"""What stands above the columns of `overview.COLUMNS`."""
NOTHING: Final = "-"
"""In a cell of which nothing is known."""


class _Page(BaseHandler):
    """What both pages have in common."""

    @property
    def rows(self) -> list[Row]:
        """All sessions."""
        service: Service = self.settings["berth"]
        return overview.rows(service, self.db)

    async def show(self, template: str, status: int = 200, **values: Any) -> None:  # noqa: ANN401 - a template's
        """Finish with a page."""
        self.set_status(status)
        self.finish(await self.render_template(template, user=self.current_user, **values))


class SessionsHandler(_Page):
    """`GET /hub/berth/sessions?sort=COLUMN`: the list."""

    @web.authenticated
    @needs_scope("admin-ui")
    async def get(self) -> None:
        """Show it to who may open JupyterHub's admin page."""
        await self._list()

    @needs_scope("read:servers")
    async def _list(self) -> None:
        column, now = self.get_query_argument("sort", "user"), time.time()
        found, part = self.rows, self.settings["berth"].collector.snapshot.jobs_part
        await self.show(
            "sessions.html",
            rows=[(row, cells(row)) for row in overview.ordered(found, column)],
            columns=[(name, LABELS[name], name == column) for name in overview.COLUMNS],
            falling=overview.FALLING,
            sums=overview.sums(found),
            age=availability.age(max(1, int(now - part.asked_at))) if part.asked_at else "",
            size=words.size,
            stop_url=lambda row: "?" + urlencode({"session": row.name}),
        )


class EndSessionsHandler(_Page):
    """`/hub/berth/sessions/stop?session=USER[/SERVER]`: ends that one, or all where none is named.

    `GET` asks, `POST` does it; the page works without scripts.
    """

    @web.authenticated
    @needs_scope("admin-ui")
    async def get(self) -> None:
        """Ask whether, and for the words to the users."""
        await self._ask()

    @web.authenticated
    @needs_scope("admin-ui")
    async def post(self) -> None:
        """End them, and show the list."""
        await self._end()

    @needs_scope("delete:servers")
    async def _ask(self, problem: Text | None = None, message: str = "") -> None:
        await self.show(
            "sessions_stop.html",
            status=400 if problem else 200,
            sessions=self._chosen(),
            only=bool(self.get_query_argument("session", "")),
            problem=problem,
            message=message,
            letters=MAX_LETTERS,
        )

    @needs_scope("delete:servers")
    async def _end(self) -> None:
        typed = self.get_body_argument("message", "")
        try:
            message = line(typed)
        except ValueError:
            await self._ask(say("operate.message_needed", count=MAX_LETTERS), typed)
            return
        # Those that the page showed: what has started since is not meant.
        shown = set(self.get_body_arguments("shown"))
        await ending.end_all(self, [key(row) for row in self._chosen() if row.name in shown], message)
        self.redirect(self.hub.base_url + "berth/sessions")

    def _chosen(self) -> list[Row]:
        """Return what is asked for and can be ended. Raises Refused where the one session is not there."""
        name = self.get_query_argument("session", "")
        found = [row for row in self.rows if row.state != "STOPPING" and (not name or row.name == name)]
        if name and not found:
            raise Refused(404, say("operate.no_session", name=printable(name)))
        return found


def key(row: Row) -> Key:
    """Return whose session a row is about."""
    return (row.user, row.server)


def cells(row: Row) -> dict[str, Text | str]:
    """Return what a row shows, by column."""
    return {
        "user": row.name,
        "job_id": str(row.job_id or NOTHING),
        "state": row.state,
        "node": row.node or NOTHING,
        "gpus": f"{row.gpus} {row.gpu_type}".strip(),
        "cores": str(row.cores),
        "memory_mib": words.size(row.memory_mib),
        "release": row.release,
        "interface": row.interface,
        "idle_seconds": NOTHING if row.idle_seconds is None else words.elapsed(row.idle_seconds),
        "left_seconds": NOTHING if row.left_seconds is None else words.elapsed(row.left_seconds),
    }
