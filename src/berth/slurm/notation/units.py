"""Slurm's notation of durations and of memory sizes."""

from __future__ import annotations

import re

from berth.slurm.errors import SlurmValueError

# Slurm counts the seconds of a duration in 31 bits, and adds up to 59 to them before it divides: 68 years.
MAX_MINUTES = (2**31 - 60) // 60
# RealMemory and --mem are 64 bits wide, of which the highest bit marks "per CPU".
MAX_MEBIBYTES = 2**53

_UNLIMITED = frozenset({"UNLIMITED", "INFINITE", "-1"})
_NUMBER = "[0-9]{1,10}"
# minutes, minutes:seconds, hours:minutes:seconds, days-hours, days-hours:minutes and
# days-hours:minutes:seconds; fields may be larger than 59 (Slurm reads 90:00 as 90 minutes).
_TIME = re.compile(
    rf"(?P<days>{_NUMBER})-(?P<h>{_NUMBER})(?::(?P<hm>{_NUMBER})(?::(?P<hms>{_NUMBER}))?)?"
    rf"|(?:(?:(?P<hours>{_NUMBER}):)?(?P<minutes>{_NUMBER}):(?P<seconds>{_NUMBER}))"
    rf"|(?P<only>{_NUMBER})",
)
_SIZE = re.compile(r"(?P<number>[0-9]{1,16})(?P<unit>[KMGT]?)", re.IGNORECASE)
_KIBIBYTES = {"K": 1, "": 1024, "M": 1024, "G": 1024**2, "T": 1024**3}


def text_of(value: object) -> str:
    """Return *value* as a plain :class:`str`.

    YAML turns an unquoted ``60:00`` into the number 3600, which Slurm would read as 3600
    minutes. Nothing but text is therefore accepted.

    Raises:
        SlurmValueError: *value* is not text.
    """
    if not isinstance(value, str):
        raise SlurmValueError(f"expected text, got {value!r}; quote the value in YAML")
    return str(value)


def minutes(text: str) -> int | None:
    """Read a Slurm duration; ``None`` means that there is no limit.

    Seconds are rounded up to a whole minute, as Slurm does. 0 is returned as such, although sbatch takes
    it for no limit. Refused is what Slurm takes by accident: nothing beside the dash of the days (``1-``),
    and times that overflow its numbers.

    Raises:
        SlurmValueError: *text* is not one of Slurm's six notations.
    """
    text = text_of(text)
    if text.upper() in _UNLIMITED:
        return None
    match = _TIME.fullmatch(text)
    if match is None:
        raise SlurmValueError(
            f"{text!r} is not a Slurm duration; write minutes, minutes:seconds, "
            "hours:minutes:seconds, days-hours[:minutes[:seconds]] or UNLIMITED"
        )
    field = {name: int(digits or 0) for name, digits in match.groupdict().items()}
    whole = (field["days"] * 24 + field["h"] + field["hours"]) * 60
    whole += field["hm"] + field["minutes"] + field["only"]
    whole += (field["hms"] + field["seconds"] + 59) // 60
    if whole > MAX_MINUTES:
        raise SlurmValueError(f"{text!r} is longer than Slurm can count")
    return whole


def duration(minutes: int | None) -> str:
    """Write *minutes* as ``[days-]HH:MM:00``; ``None`` becomes ``UNLIMITED``.

    Raises:
        SlurmValueError: *minutes* is not a whole number that Slurm can hold.
    """
    if minutes is None:
        return "UNLIMITED"
    whole = _whole(minutes, "minutes", MAX_MINUTES)
    hours, minute = divmod(whole, 60)
    days, hour = divmod(hours, 24)
    clock = f"{hour:02}:{minute:02}:00"
    return f"{days}-{clock}" if days else clock


def mebibytes(text: str) -> int:
    """Read a memory size as ``--mem`` does: MiB unless K, M, G or T follows.

    Kibibytes are rounded up to a whole MiB. sbatch also takes a sign before it and a B after the unit
    (``4GB``): these are refused.

    Raises:
        SlurmValueError: *text* is not a size in that notation.
    """
    text = text_of(text)
    match = _SIZE.fullmatch(text)
    if match is None:
        raise SlurmValueError(f"{text!r} is not a memory size; write whole MiB or a number with K, M, G or T")
    kibibytes = int(match["number"]) * _KIBIBYTES[match["unit"].upper()]
    whole = -(-kibibytes // 1024)
    if whole > MAX_MEBIBYTES:
        raise SlurmValueError(f"{text!r} is more memory than Slurm can count")
    return whole


def format_mebibytes(mebibytes: int) -> str:
    """Write a size in the largest of M, G and T that needs no fraction.

    Raises:
        SlurmValueError: *mebibytes* is not a whole number that Slurm can hold.
    """
    whole = _whole(mebibytes, "MiB", MAX_MEBIBYTES)
    for unit, size in (("T", 1024**2), ("G", 1024)):
        if whole and whole % size == 0:
            return f"{whole // size}{unit}"
    return f"{whole}M"


def _whole(value: object, what: str, highest: int) -> int:
    """Return *value* as an :class:`int` between 0 and *highest*."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= highest:
        raise SlurmValueError(f"expected whole {what} between 0 and {highest}, got {value!r}")
    return int(value)
