"""What operators tell users: announcements, and a maintenance that keeps new sessions from starting."""

from __future__ import annotations

import datetime as dt
import unicodedata
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from berth.hub.texts import text

MAX_LETTERS: Final = 500
"""Of one text, in one language."""


def line(words: str) -> str:
    """Return a text of one line without spaces at its ends. Raises ValueError for anything else."""
    words = words.strip()
    if not words or len(words) > MAX_LETTERS:
        message = f"write 1 to {MAX_LETTERS} characters"
        raise ValueError(message)
    # Format characters (Cf) join letters in some languages; those that turn the direction are none of these.
    if any(unicodedata.category(letter) in {"Cc", "Zl", "Zp", "Cs"} or _turns(letter) for letter in words):
        message = "write one line, without control characters"
        raise ValueError(message)
    return words


def _turns(letter: str) -> bool:
    return letter in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def _by_language(given: Any) -> Any:  # noqa: ANN401 - whatever stands in a file
    return {text.ENGLISH: given} if isinstance(given, str) else given


def _known_languages(texts: dict[str, str]) -> dict[str, str]:
    if text.ENGLISH not in texts or not set(texts) <= set(text.LANGUAGES):
        message = f"write a text, or one for each of {', '.join(text.LANGUAGES)}; {text.ENGLISH} is required"
        raise ValueError(message)
    return texts


def _zoned(moment: dt.datetime) -> dt.datetime:
    return moment if moment.tzinfo is not None else moment.astimezone()


Line = Annotated[str, AfterValidator(line)]
Texts = Annotated[dict[str, Line], BeforeValidator(_by_language), AfterValidator(_known_languages)]
"""A text by language; a single one is English, which readers of other languages get, too."""
Moment = Annotated[dt.datetime, AfterValidator(_zoned)]
"""A time; without a zone it is in that of the host."""


def in_language(texts: dict[str, str], code: str) -> str:
    """Return the text for readers of a language."""
    return texts.get(code, texts[text.ENGLISH])


class _Model(BaseModel):
    # `from` is a word of Python's: in files and requests the key is `from`, here it is `start`.
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types, with the keys of files and requests."""
        return self.model_dump(mode="json", by_alias=True)


class Announcement(_Model):
    """One thing that users shall know, and for how long."""

    text: Texts
    level: Literal["info", "warning"] = "info"
    start: Moment | None = Field(default=None, alias="from")
    """From when on it is shown; None: at once."""
    until: Moment | None = None
    """When it is not shown any more; None: until it is removed."""

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.start is not None and self.until is not None and self.start >= self.until:
            message = "it would end before it begins"
            raise ValueError(message)
        return self

    def over(self, now: float) -> bool:
        """Whether it will not be shown again."""
        return self.until is not None and self.until.timestamp() <= now

    def shown(self, now: float) -> bool:
        """Whether it is shown at a Unix time."""
        return not self.over(now) and (self.start is None or self.start.timestamp() <= now)


class Kept(Announcement):
    """An announcement in the file, with a name by which it is removed."""

    id: str = Field(pattern=r"^[a-z0-9-]{1,32}$")


class Maintenance(_Model):
    """A time in which no new session starts; it ends by itself."""

    text: Texts
    start: Moment = Field(alias="from")
    until: Moment

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.start >= self.until:
            message = "it would end before it begins"
            raise ValueError(message)
        return self

    def over(self, now: float) -> bool:
        """Whether sessions start again."""
        return self.until.timestamp() <= now

    def active(self, now: float) -> bool:
        """Whether no new session starts at a Unix time."""
        return self.start.timestamp() <= now and not self.over(now)


class Notices(_Model):
    """All of it, as the file has it."""

    announcements: tuple[Kept, ...] = ()
    maintenance: Maintenance | None = None
