"""Numbers as users read them: sizes, times that pass, moments."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from berth.hub.text import say

if TYPE_CHECKING:
    from berth.hub.text import Text

_GIBIBYTE: Final = 1024
_EXACT: Final = 10 * _GIBIBYTE
"""From this size on, a tenth of a GiB is exact enough."""


def size(mebibytes: int) -> str:
    """Write an amount of memory, given in MiB."""
    if mebibytes and mebibytes % _GIBIBYTE == 0:
        return f"{mebibytes // _GIBIBYTE} GiB"
    return f"{mebibytes / _GIBIBYTE:.1f} GiB" if mebibytes >= _EXACT else f"{mebibytes} MiB"


def duration(seconds: float) -> Text:
    """Say how long something takes, in whole minutes rounded down."""
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
