"""Times, sizes and GPUs as people write them; made of texts, so that they are in the reader's language."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Final

from berth.hub.text import say
from berth.slurm import units

if TYPE_CHECKING:
    from berth.hub.text import Text


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


def size(mebibytes: int) -> str:
    """Return a number of mebibytes: `8 GiB`."""
    whole, rest = divmod(mebibytes, 1024)
    return f"{whole} GiB" if whole and not rest else f"{mebibytes} MiB"


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
