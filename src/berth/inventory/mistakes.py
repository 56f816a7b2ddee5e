"""A mistake: where it stands, what is wrong there, what to write instead."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Path = tuple[str | int, ...]
"""Leads to a value: the variable's name, then keys and positions (from 0)."""


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong; as text it is ``place: problem. fix.``."""

    place: str
    """``file:line``, or only the file; for a variable that is missing, the file where it belongs."""
    problem: str
    fix: str

    def __str__(self) -> str:
        """Write the line that people read."""
        return f"{self.place}: {_ended(self.problem)} {_ended(self.fix)}"


def in_order(mistakes: Iterable[Mistake]) -> list[Mistake]:
    """Return the mistakes by file and line, each once."""
    return sorted(dict.fromkeys(mistakes), key=lambda mistake: _position(mistake.place))


def nearest(word: str, known: Iterable[str], cutoff: float = 0.75) -> str | None:
    """Return what was probably meant by a misspelled *word*, if anything is near enough.

    Names that differ in their numbers only, such as gpu2 and gpu3, are no misspellings of each other.
    """
    letters = re.sub("[0-9]+", "0", word)
    others = sorted(name for name in known if re.sub("[0-9]+", "0", name) != letters)
    found = difflib.get_close_matches(word, others, n=1, cutoff=cutoff)
    return found[0] if found else None


def listed(words: Iterable[object]) -> str:
    """Write words as ``a, b and c``."""
    texts = [str(word) for word in words]
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith(".") else f"{sentence}."


def _position(place: str) -> tuple[str, int]:
    match = re.fullmatch(r"(?P<file>.*?)(?::(?P<line>[0-9]+))?", place)
    # Always matches; without a line, the file as a whole comes first.
    return (match["file"], int(match["line"] or 0)) if match else (place, 0)
