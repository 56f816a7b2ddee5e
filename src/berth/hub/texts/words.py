"""Times, sizes and GPUs as people write them; made of texts, so that they are in the reader's language."""

from __future__ import annotations

import datetime as dt
import time
from functools import reduce
from typing import TYPE_CHECKING, Final

from berth.hub.texts.text import say
from berth.slurm.notation import units

if TYPE_CHECKING:
    from berth.hub.texts.text import Text

_GIBIBYTE: Final = 1024
_EXACT: Final = 10 * _GIBIBYTE
"""From this size on, a tenth of a GiB is exact enough."""


_MUCH: Final = 10 * 1024
"""MiB from which nobody asks for single ones."""


def duration(minutes: int) -> Text:
    """Return minutes in words: `1 hour 30 minutes`."""
    days, rest = divmod(minutes, 1440)
    hours, left = divmod(rest, 60)
    parts = [
        text
        for text in (
            say("form.days", count=days),
            say("form.hours", count=hours),
            say("form.minutes", count=left),
        )
        if text.values["count"]
    ]
    return reduce(
        lambda first, then: say("form.two", first=first, then=then), parts or [say("form.minutes", count=0)]
    )


def until(seconds: float) -> Text:
    """Return how long something is off, in days and hours or in hours and minutes."""
    minutes = max(1, int(seconds) // 60)
    return duration(minutes if minutes < 1440 else minutes // 60 * 60)  # noqa: PLR2004 - a day


def elapsed(seconds: float) -> Text:
    """Say briefly how long something took or will take, in whole minutes rounded down: `1 h 6 min`."""
    minutes = max(0, int(seconds)) // 60
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return say("session.duration_days", days=days, hours=hours)
    if hours:
        return say("session.duration_hours", hours=hours, minutes=minutes)
    return say("session.duration_minutes", minutes=minutes)


def clock(seconds: float) -> str:
    """Write seconds as a clock that counts up: `0:02:05`."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def moment(when: float, now: float) -> str:
    """Write a Unix time in the service's own time zone; without the date when it is today's."""
    there, here = time.localtime(when), time.localtime(now)
    return time.strftime("%H:%M" if there[:3] == here[:3] else "%Y-%m-%d %H:%M", there)


def day(when: float) -> dt.date:
    """Return the date of a Unix time in the service's own time zone."""
    return dt.datetime.fromtimestamp(when, dt.UTC).astimezone().date()


def size(mebibytes: int) -> str:
    """Return a number of mebibytes, never more than there are: `8 GiB`, `19.5 GiB`, `500 MiB`."""
    if mebibytes and mebibytes % _GIBIBYTE == 0:
        return f"{mebibytes // _GIBIBYTE} GiB"
    whole, tenth = divmod(mebibytes * 10 // _GIBIBYTE, 10)
    return f"{whole}.{tenth} GiB" if mebibytes >= _EXACT else f"{mebibytes} MiB"


def gpus(gpu_type: str, count: int) -> Text:
    """Return a number of GPUs of a type (`""` for those without): `2 a100 GPUs`."""
    if count == 0:
        return say("form.no_gpu")
    return say("form.typed_gpus", count=count, type=gpu_type) if gpu_type else say("form.gpus", count=count)


def split_gpus(value: str) -> tuple[str, int]:
    """Return type and count of a choice of GPUs: `a100:2`, `:1` (no type), `0`."""
    gpu_type, _, count = value.rpartition(":")
    return gpu_type, int(count)


def amount_of(name: str, value: str) -> int:
    """Return a choice as a number: cores, MiB, GPUs or minutes."""
    match name:
        case "memory":
            return units.mebibytes(value)
        case "time":
            return units.minutes(value) or 0
        case "gpus":
            return split_gpus(value)[1]
        case _:
            return int(value)


def shown(name: str, amount: int) -> str | Text:
    """Return such a number for people, as a limit: much memory is rounded down to whole GiB."""
    match name:
        case "memory":
            return size(amount if amount < _MUCH else amount // 1024 * 1024)
        case "time":
            return duration(amount)
        case _:
            return str(amount)
