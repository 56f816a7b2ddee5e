"""`GET /hub/berth/usage`: what the user's sessions of the last months used, by month and account."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from jupyterhub.handlers import BaseHandler
from tornado import web

from berth.hub.texts import words
from berth.hub.texts.text import Text, say
from berth.hub.usage.arithmetic import Totals
from berth.hub.usage.recent import Known

if TYPE_CHECKING:
    from berth.hub.service import Service
    from berth.hub.usage.recent import Rows

COLUMNS: Final = (
    "usage.column_month",
    "usage.column_account",
    "usage.column_sessions",
    "usage.column_hours",
    "usage.column_core_hours",
    "usage.column_gpu_hours",
    "usage.column_cpu",
    "usage.column_memory",
)
NOTHING: Final = "-"
"""In a cell of which nothing is known."""


@dataclass(frozen=True)
class Page:
    """What the page shows."""

    rows: tuple[tuple[Text | str, ...], ...] = ()
    """The cells of the table, the last month first."""
    total: tuple[Text | str, ...] = ()
    """The cells of its last line; empty where a single row says it all."""
    notice: Text | None = None
    """What its reader has to know before the figures, or instead of them."""
    pending: bool = False
    """The figures are on their way: the page is to be asked for again."""


class UsageHandler(BaseHandler):
    """The page with the usage of whoever asks; nobody else's is shown."""

    @web.authenticated
    async def get(self) -> None:
        """Show it."""
        service: Service = self.settings["berth"]
        if not service.hub.usage_months:
            raise web.HTTPError(404)
        controller = service.collector.snapshot.controller
        unaccounted = controller is not None and not controller.accounting
        known = Known(disabled=True) if unaccounted else await service.usage.ask()
        page = page_of(known, self.current_user.name, time.time())
        self.finish(
            await self.render_template(
                "usage.html",
                user=self.current_user,
                page=page,
                columns=[say(key) for key in COLUMNS],
                months=service.hub.usage_months,
            )
        )


def page_of(known: Known, user: str, now: float) -> Page:
    """Return the page of one user."""
    if known.disabled:
        return Page(notice=say("usage.disabled"))
    if not known.asked_at:
        return Page(
            notice=say("usage.no_answer") if known.error else say("usage.pending"), pending=not known.error
        )
    key = "usage.as_of_old" if known.error else "usage.as_of"
    notice = say(key, moment=words.moment(known.asked_at, now))
    rows = known.rows.get(user, ())
    total = sum((sums for _, _, sums in rows), Totals())
    last: tuple[Text | str, ...] = (say("usage.total"), "", *_figures(total)) if len(rows) > 1 else ()
    return Page(_cells(rows, now), last, notice)


def _cells(rows: Rows, now: float) -> tuple[tuple[Text | str, ...], ...]:
    current = f"{words.day(now):%Y-%m}"
    ordered = sorted(rows, key=lambda row: row[1])
    ordered.sort(key=lambda row: row[0], reverse=True)
    return tuple(
        (say("usage.so_far", month=month) if month == current else month, account or NOTHING, *_figures(sums))
        for month, account, sums in ordered
    )


def _figures(sums: Totals) -> tuple[str, ...]:
    hours = (sums.hours, sums.core_hours, sums.gpu_hours)
    shares = (sums.cpu_efficiency, sums.memory_efficiency)
    return (
        str(sums.sessions),
        *(f"{value:.1f}" for value in hours),
        *(NOTHING if share is None else f"{round(100 * share)} %" for share in shares),
    )
