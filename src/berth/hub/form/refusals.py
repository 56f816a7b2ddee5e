"""Requests that were refused: told to the journal, and counted by field for Prometheus."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from berth import journal
from berth.hub.metrics import figures
from berth.hub.texts.text import ENGLISH

if TYPE_CHECKING:
    from berth.hub.form.options import OptionsError

log = logging.getLogger("berth.form")


def note(user: str, error: OptionsError) -> None:
    """Note a request of a user's, with a line for each field that was wrong."""
    figures.count_refused(error.problems)
    for name, problem in error.problems.items():
        journal.event(log, "request-refused", user=user, field=name, msg=problem.in_language(ENGLISH))
