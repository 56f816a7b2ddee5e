"""The notices as they are shown: on the hub's pages in the reader's language, in Lab in all of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from berth.hub.operate.notices import in_language
from berth.hub.texts import text, words
from berth.hub.texts.text import Text, say

if TYPE_CHECKING:
    from berth.hub.operate.board import Board
    from berth.hub.operate.notices import Maintenance


@dataclass(frozen=True)
class Notice:
    """One notice that is shown now."""

    id: str
    level: str
    texts: dict[str, str]
    """By language."""
    until: float | None
    """Unix time; None where no end is set."""

    @property
    def language(self) -> str:
        """The language that the reader gets it in: theirs, else English."""
        code = text.language.get()
        return code if code in self.texts else text.ENGLISH

    def __str__(self) -> str:
        """Return the text for the reader."""
        return self.texts[self.language]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types."""
        return {"id": self.id, "level": self.level, "text": self.texts, "until": self.until}


def notices(board: Board, now: float) -> list[Notice]:
    """Return what is shown at a Unix time: a maintenance first, then announcements as they were made."""
    found = [
        Notice(item.id, item.level, item.text, None if item.until is None else item.until.timestamp())
        for item in board.announcements(now)
        if item.shown(now)
    ]
    maintenance = board.maintenance(now)
    if maintenance is None:
        return found
    texts = {code: maintained(maintenance, now, code).in_language(code) for code in text.LANGUAGES}
    ends = maintenance.until.timestamp()
    return [Notice(f"maintenance-{maintenance.start.timestamp():.0f}", "warning", texts, ends), *found]


def on_page(board: Board, _user: object) -> list[Notice]:
    """Return the notices for a page, whoever reads it; JupyterHub calls it for its templates."""
    return notices(board, time.time())


def maintained(maintenance: Maintenance, now: float, code: str = "") -> Text:
    """Say what a maintenance means, with the operator's words for readers of a language."""
    key = "operate.maintenance_now" if maintenance.active(now) else "operate.maintenance_planned"
    message = in_language(maintenance.text, code or text.language.get())
    return say(
        key,
        start=moment(maintenance.start.timestamp(), now),
        end=moment(maintenance.until.timestamp(), now),
        message=message,
    )


def moment(when: float, now: float) -> str:
    """Write a Unix time with its zone: who reads it may be anywhere."""
    return f"{words.moment(when, now)} {time.strftime('%Z', time.localtime(when))}"
