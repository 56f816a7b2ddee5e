"""Every text of ours that users read, in one catalogue: `texts/<language>/<area>.yml`.

A text has a key (`area.name`, the area being the file) and named places (`{job_id}`). What depends on a
number has the forms `one` and `other`, chosen by the value `count`. English is complete; another language
shows the English text where it has none. The language is that of the request in which a text is shown.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

ENGLISH: Final = "en"
LANGUAGES: Final = {ENGLISH: "English", "it": "Italiano"}
"""The languages there are, by the code that browsers use, and what they call themselves."""

language: ContextVar[str] = ContextVar("berth_language", default=ENGLISH)
"""The language of the request that is being answered; set by `berth.hub.texts.localized`."""


class TextError(KeyError):
    """A text was asked for that the catalogue does not have, or not with these values."""


@dataclass(frozen=True)
class Text:
    """One text with its values; becomes words only where it is shown (`str`)."""

    key: str
    values: Mapping[str, Any] = field(default_factory=dict)
    """Numbers, words that are not ours (names of jobs, nodes, accounts), or other texts."""

    def __str__(self) -> str:
        """Return the words in the language of the request."""
        return self.in_language(language.get())

    def in_language(self, code: str) -> str:
        """Return the words in that language. Raises TextError where key and values do not fit together."""
        found = _catalogue(code).get(self.key) or _catalogue(ENGLISH).get(self.key)
        if found is None:
            raise TextError(f"there is no text {self.key!r}")
        if isinstance(found, dict):
            found = found["one" if self.values.get("count") == 1 else "other"]
        values = {
            name: value.in_language(code) if isinstance(value, Text) else value
            for name, value in self.values.items()
        }
        try:
            return found.format_map(values)
        except KeyError as error:
            raise TextError(f"the text {self.key!r} needs the value {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types, so that the database can keep a text and each reader gets their language."""
        values = {k: v.to_dict() if isinstance(v, Text) else v for k, v in self.values.items()}
        return {"key": self.key, "values": values}


def say(key: str, **values: Any) -> Text:  # noqa: ANN401 - whatever the text has places for
    """Return a text; templates call it too."""
    return Text(key, values)


def from_dict(stored: Any) -> Text | None:  # noqa: ANN401 - what an earlier version kept may be anything
    """Return a text that `Text.to_dict` kept, None for what is none or has left the catalogue."""
    if not isinstance(stored, dict) or not has(str(stored.get("key"))):
        return None
    values = {k: from_dict(v) if isinstance(v, dict) else v for k, v in stored.get("values", {}).items()}
    return Text(stored["key"], values)


def has(key: str) -> bool:
    """Whether the catalogue has a text of that key."""
    return key in _catalogue(ENGLISH)


@cache
def _catalogue(code: str) -> dict[str, str | dict[str, str]]:
    if code not in LANGUAGES:
        return {}
    found: dict[str, str | dict[str, str]] = {}
    for path in sorted((files("berth.hub") / "texts" / code).iterdir(), key=lambda item: item.name):
        area, _, kind = path.name.rpartition(".")
        if kind == "yml":
            entries = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
            found |= {f"{area}.{name}": text for name, text in entries.items()}
    return found


def preferred(header: str) -> str:
    """Return the first of our languages in an `Accept-Language` header (RFC 9110, 12.5.4), else English."""
    wanted: list[tuple[float, str]] = []
    for entry in header[:1000].split(","):
        tag, _, quality = entry.strip().partition(";q=")
        try:
            weight = float(quality or 1)
        except ValueError:
            continue
        wanted.append((-weight, tag.partition("-")[0].strip().lower()))
    codes = [code for weight, code in sorted(wanted, key=lambda item: item[0]) if weight < 0]
    return next((code for code in codes if code in LANGUAGES), ENGLISH)
