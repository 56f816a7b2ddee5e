"""Limits for each user of a partition, which Slurm keeps as the limits of a QOS."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from berth.slurm.config.describe import Item
from berth.slurm.errors import SlurmValueError
from berth.slurm.notation import units

if TYPE_CHECKING:
    from collections.abc import Mapping

KEYS = frozenset({"gpus_per_user", "cores_per_user", "memory_per_user", "sessions_per_user", "max_time"})
COLUMNS = "maxtrespu,maxjobspu,maxwall,flags"
"""The columns of ``sacctmgr show qos`` that :func:`changes` reads back."""
# A request that can never be granted is refused at once instead of waiting forever.
FLAG = "DenyOnLimit"
_CLEARED = "-1"
_TRES = {"cpu": "cores_per_user", "gres/gpu": "gpus_per_user", "mem": "memory_per_user"}
_HIGHEST = 2**31 - 1


def changes(limits: Mapping[str, object], row: str = "") -> list[str]:
    """Return what ``sacctmgr modify qos … set`` has to be told, so that a QOS holds *limits* and no others.

    *limits* may hold ``gpus_per_user``, ``cores_per_user``, ``memory_per_user`` (text, ``"64G"``),
    ``sessions_per_user`` and ``max_time`` (text, ``"08:00:00"``). *row* is the line that ``sacctmgr
    --noheader --parsable2 show qos`` prints of :data:`COLUMNS`; empty for a QOS without any limit. The list
    is empty when the QOS holds the limits already.

    Raises:
        SlurmValueError: a limit is unknown or no limit that Slurm can hold, or *row* has other columns.
    """
    wanted, found = _wanted(limits), _found(row or "|||")
    return [f"{name}={value}" for name, value in wanted.items() if value != found[name]]


def _wanted(limits: Mapping[str, object]) -> dict[str, str]:
    unknown = sorted(set(limits) - KEYS)
    if unknown:
        raise SlurmValueError(f"limits: unknown key {', '.join(unknown)}; known: {', '.join(sorted(KEYS))}")
    item = Item("limits", limits)
    tres = {name: _count(item, key) for name, key in _TRES.items()}
    time = item.checked("max_time", units.minutes) if item.has("max_time") else None
    return {
        "MaxTRESPerUser": _written(tres),
        "MaxJobsPerUser": _count(item, "sessions_per_user") or _CLEARED,
        "MaxWall": _CLEARED if time is None else units.duration(time),
        "Flags": FLAG,
    }


def _count(item: Item, key: str) -> str | None:
    """Return a limit as Slurm takes it, ``None`` where it is not given; 0 would be "none at all"."""
    if not item.has(key):
        return None
    memory = key == "memory_per_user"
    count = item.checked(key, units.mebibytes) if memory else item.number(key)
    if not 0 < count <= _HIGHEST:
        raise item.error(key, f"expected a limit from 1 to {_HIGHEST}, got {count}")
    return f"{count}M" if memory else str(count)


def _written(tres: Mapping[str, str | None]) -> str:
    """Name every resource: one that is left out would keep the limit it has."""
    return ",".join(f"{name}={tres.get(name) or _CLEARED}" for name in _TRES)


def _found(row: str) -> dict[str, str]:
    cells = row.split("|")
    if len(cells) != len(COLUMNS.split(",")):
        raise SlurmValueError(f"{row[:80]!r} in sacctmgr's answer has not the columns {COLUMNS}")
    tres, jobs, wall, flags = cells
    pairs = dict(pair.partition("=")[::2] for pair in tres.split(",") if pair)
    if memory := pairs.get("mem"):
        pairs["mem"] = f"{units.mebibytes(memory)}M"
    return {
        "MaxTRESPerUser": _written(pairs),
        "MaxJobsPerUser": jobs or _CLEARED,
        "MaxWall": units.duration(units.minutes(wall)) if wall else _CLEARED,
        "Flags": ",".join(re.split(r"[,\s]+", flags.strip())),
    }
