"""The kinds of values that the hub's settings have, each with a sentence for one that is none."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from berth.hub.database.url import postgresql
from berth.slurm.notation import units

MIN_PORT: Final = 1024
MAX_PORT: Final = 65535


def _size(text: str) -> str:
    units.mebibytes(text)
    return text


def _duration(text: str) -> str:
    if not units.minutes(text):  # sbatch takes 0, too, for no limit
        message = "a session needs a limit; write a time such as 08:00:00"
        raise ValueError(message)
    return text


def _url(text: str) -> str:
    parts = urlsplit(text)
    web = parts.scheme in {"http", "https"} and parts.netloc
    if not (web or (parts.scheme == "mailto" and "@" in parts.path)) or not text.isprintable() or " " in text:
        message = f"{text!r} is not an address; write https://name/path or mailto:name@host"
        raise ValueError(message)
    return text


def _optional_url(text: str) -> str:
    return _url(text) if text else text


Port = Annotated[int, Field(ge=MIN_PORT, le=MAX_PORT)]
Size = Annotated[str, AfterValidator(_size)]
"""Slurm's notation of memory."""
Duration = Annotated[str, AfterValidator(_duration)]
"""Slurm's notation of a time limit."""
Url = Annotated[str, AfterValidator(_url)]
OptionalUrl = Annotated[str, AfterValidator(_optional_url)]
DatabaseUrl = Annotated[str, AfterValidator(postgresql)]
"""Of PostgreSQL, or empty (see `berth.hub.database.url`)."""
