"""Times as operators write them: in the manner of Slurm's own commands, and as dates."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

_AHEAD: Final = re.compile(r"now(?:\+(?P<count>\d{1,6})(?P<unit>minutes?|hours?|days?|weeks?)?)?")
_CLOCK: Final = re.compile(r"(?P<hour>\d{1,2}):(?P<minute>\d\d)")
HELP: Final = "2027-01-31T08:00, 08:00 (the next one) or now+2hours"


class TimeError(ValueError):
    """A time cannot be read; the text is a sentence."""


def parse(text: str, now: dt.datetime) -> dt.datetime:
    """Return a time with a zone; without one in the text it is in that of the host. Raises TimeError.

    `now+N` counts seconds, as in sbatch's `--begin`.
    """
    try:
        if ahead := _AHEAD.fullmatch(text):
            unit = (ahead["unit"] or "seconds").removesuffix("s") + "s"
            return now + dt.timedelta(**{unit: int(ahead["count"] or 0)})
        if clock := _CLOCK.fullmatch(text):
            today = dt.datetime.combine(now.date(), dt.time(int(clock["hour"]), int(clock["minute"])))
            return _local(today if _local(today) > now else today + dt.timedelta(days=1))
        return _local(dt.datetime.fromisoformat(text))
    except (ValueError, OverflowError) as error:
        raise TimeError(f"{text!r} is not a time; write {HELP}.") from error


def _local(moment: dt.datetime) -> dt.datetime:
    return moment if moment.tzinfo is not None else moment.astimezone()
