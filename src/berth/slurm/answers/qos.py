"""QOS and the limits of QOS and associations, as ``sacctmgr`` tells them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from berth.slurm.errors import SlurmValueError
from berth.slurm.notation import tres, units

JOB = "job"
"""Scope of a limit: one job may have so much."""
NODE = "node"
"""One job may have so much on one node."""
USER = "user"
"""All running jobs of a user together."""
ACCOUNT = "account"
"""All running jobs of an account together."""
GROUP = "group"
"""All running jobs of the QOS, or of the association and those below it, together."""
LEAST = "least"
"""One job has to ask for so much."""

WALL = "wall"
"""What is limited besides resources: minutes of a job."""
JOBS = "jobs"
"""Jobs that run at a time."""
SUBMIT = "submit"
"""Jobs that wait or run at a time."""
CPU, MEMORY, GPU = "cpu", "mem", "gres/gpu"
"""Names that Slurm has for resources (TRES). Memory is in MiB; a type of GPU follows: ``gres/gpu:a100``."""

Limits: TypeAlias = Mapping[tuple[str, str], int]
"""Limits by scope and by what is limited; what is not limited is absent."""

COLUMNS = (
    "name,flags,maxwall,maxtres,maxtrespernode,maxtrespu,maxtrespa,grptres,mintres,"
    "maxjobspu,maxsubmitpu,limitfactor"
)
"""The columns of ``sacctmgr show qos`` that :func:`parse_qos` reads."""

_TRES = (JOB, NODE, USER, ACCOUNT, GROUP, LEAST)
_DIGITS = 15


@dataclass(frozen=True)
class Qos:
    """One QOS."""

    name: str
    flags: frozenset[str] = frozenset()
    """Such as ``DenyOnLimit``, ``OverPartQOS``, ``PartitionTimeLimit``."""
    limits: Limits = field(default_factory=dict)
    factor: float = 1.0
    """What the resources of an association's limits are multiplied by (``LimitFactor``)."""


def parse_qos(answer: str) -> list[Qos]:
    """Read the answer to :meth:`berth.slurm.answers.commands.Commands.qos`.

    Raises:
        SlurmValueError: a line has other columns, or no limit where one should be.
    """
    return [_qos(row) for row in rows(answer, len(COLUMNS.split(",")))]


def _qos(row: list[str]) -> Qos:
    name, flags, wall, *lists, jobs, submit, factor = row
    limits = {
        key: limit for scope, text in zip(_TRES, lists, strict=True) for key, limit in resources(scope, text)
    }
    limits |= wall_limit(wall) | count_limit(JOBS, jobs) | count_limit(SUBMIT, submit)
    return Qos(name, frozenset(word for word in flags.split(",") if word), limits, _factor(factor))


def _factor(text: str) -> float:
    try:
        return float(text or 1)
    except ValueError as error:
        raise SlurmValueError(
            f"LimitFactor: expected a number in sacctmgr's answer, got {text[:80]!r}"
        ) from error


def resources(scope: str, text: str) -> list[tuple[tuple[str, str], int]]:
    """Return the limits in a list such as ``cpu=4,gres/gpu:a100=2,mem=64G``; those of others are left out."""
    found = []
    for item in text.split(","):
        name, _, amount = item.partition("=")
        if name == MEMORY:
            found.append(((scope, MEMORY), tres.memory(item)))
        elif name == CPU or name.split(":")[0] == GPU:
            found.append(((scope, name), _number(name, amount)))
    return found


def wall_limit(text: str) -> dict[tuple[str, str], int]:
    """Return the limit of a job's time; none where *text* is empty."""
    minutes = units.minutes(text) if text else None
    return {} if minutes is None else {(JOB, WALL): minutes}


def count_limit(what: str, text: str) -> dict[tuple[str, str], int]:
    """Return a user's limit of a number of jobs; none where *text* is empty."""
    return {(USER, what): _number(what, text)} if text else {}


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        raise SlurmValueError(f"{name}: expected a number in sacctmgr's answer, got {text[:80]!r}")
    return int(text)


def rows(answer: str, fields: int) -> list[list[str]]:
    """Split what ``sacctmgr --parsable2`` prints.

    Raises:
        SlurmValueError: a line has not that many fields.
    """
    found = [line.split("|") for line in answer.splitlines() if line]
    for row in found:
        if len(row) != fields:
            raise SlurmValueError(f"{'|'.join(row)[:80]!r} in sacctmgr's answer has not {fields} fields")
    return found
