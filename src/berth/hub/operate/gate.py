"""Whether new sessions start: in a maintenance only those of operators do, to try the service out."""

from __future__ import annotations

import math
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from tornado import web

from berth.hub.operate.notices import in_language
from berth.hub.operate.shown import moment
from berth.hub.texts import text
from berth.hub.texts.text import ENGLISH, Text, say

if TYPE_CHECKING:
    from berth.hub.operate.board import Board
    from berth.hub.operate.notices import Maintenance

SCOPE: Final = "admin-ui"
"""Who has it is an operator."""
operator: ContextVar[bool] = ContextVar("berth_operator", default=False)
"""Whether an operator sent the request that is being answered; set by `admit`."""


class Closed(web.HTTPError):
    """No session starts because of a maintenance: status 503, a sentence, and when to ask again."""

    def __init__(self, maintenance: Maintenance, now: float) -> None:
        """Say until when; the journal gets it in English."""
        self.maintenance, self.now = maintenance, now
        super().__init__(503, _with_message(maintenance, now, ENGLISH).replace("%", "%%"))
        seconds = max(1, math.ceil(maintenance.until.timestamp() - now))
        self.headers = {"Retry-After": str(seconds)}

    @property
    def jupyterhub_message(self) -> str:
        """What JupyterHub shows, in the language of the request."""
        return _with_message(self.maintenance, self.now, text.language.get())


def said(maintenance: Maintenance, now: float) -> Text:
    """Say why nothing starts."""
    return say("operate.closed", end=moment(maintenance.until.timestamp(), now))


def _with_message(maintenance: Maintenance, now: float, code: str) -> str:
    """Return the same with the operator's words, for readers of a language."""
    both = say("form.two", first=said(maintenance, now), then=in_language(maintenance.text, code))
    return both.in_language(code)


def admit(handler: Any) -> None:  # noqa: ANN401 - a handler of JupyterHub's, after its `prepare`
    """Note whether the request is an operator's."""
    operator.set(SCOPE in getattr(handler, "parsed_scopes", {}))


def check(board: Board) -> None:
    """Raise Closed where the request that is being answered may start no session."""
    now = time.time()
    closed = board.closed(now)
    if closed is not None and not operator.get():
        raise Closed(closed, now)


def note(board: Board) -> Text | None:
    """Return what the form says instead of its fields; None where it shall be filled in.

    The operator's words stand above it already, as on every page.
    """
    now = time.time()
    closed = board.closed(now)
    return None if closed is None or operator.get() else said(closed, now)


def exception(board: Board) -> Text | None:
    """Return what an operator reads above the form that others do not get."""
    now = time.time()
    closed = board.closed(now)
    if closed is None or not operator.get():
        return None
    return say("operate.open_for_operators", end=moment(closed.until.timestamp(), now))


def reaches_into(board: Board, minutes: int) -> Text | None:
    """Return a hint where a session that starts now would run into a maintenance; Slurm decides, not we."""
    now = time.time()
    planned = board.maintenance(now)
    if planned is None or planned.active(now) or planned.start.timestamp() >= now + minutes * 60:
        return None
    return say("operate.reaches_into", start=moment(planned.start.timestamp(), now))
