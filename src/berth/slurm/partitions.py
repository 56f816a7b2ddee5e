"""Partitions, as ``scontrol show partition`` lists them, in JSON or (before 23.02) as text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from berth.slurm import document, hostlist, units

# Slurm keeps the number of jobs that share a core in 15 bits; the 16th means FORCE.
_SHARED_MASK = 0x7FFF
_SHARED_TEXT = re.compile(r"(?:YES|FORCE):(?P<jobs>[0-9]{1,5})")


@dataclass(frozen=True)
class Partition:
    """One partition. Times are minutes; ``None`` is no limit, and for the default time none set."""

    name: str
    nodes: tuple[str, ...]
    max_time: int | None
    default_time: int | None
    oversubscribe: int
    """How many jobs may share a core: n of ``FORCE:n`` and ``YES:n``, 1 for everything else."""
    state: str
    """``UP``, ``DOWN`` (jobs wait), ``DRAIN`` (no new jobs) or ``INACTIVE``."""


def parse_partitions(answer: object) -> list[Partition]:
    """Read partitions from the decoded answer.

    Raises:
        SlurmValueError: the answer is not a list of partitions.
    """
    if isinstance(answer, Mapping) and document.ONELINE in answer:
        return [_from_text(record) for record in document.records(answer, document.ONELINE)]
    return [_from_json(record) for record in document.records(answer, "partitions")]


def _from_json(record: document.Record) -> Partition:
    maximums = document.section(record, "maximums")
    states = document.words(document.section(record, "partition"), "state")
    return Partition(
        name=document.name(record, "name"),
        nodes=document.hosts(document.section(record, "nodes"), "configured"),
        max_time=document.number(maximums, "time"),
        default_time=document.number(document.section(record, "defaults"), "time"),
        oversubscribe=_shared(record),
        state=states[0].upper() if states else "",
    )


def _shared(record: document.Record) -> int:
    """Return how many jobs share a core: a text since 26.05, which leaves the older numbers at 0."""
    text = document.text(document.section(record, "partition"), "oversubscribe")
    if text:
        return _shared_text(text)
    maximums = document.section(record, "maximums")
    jobs = document.number(document.section(maximums, "oversubscribe"), "jobs")
    if jobs is None:
        jobs = (document.number(maximums, "shares") or 1) & _SHARED_MASK
    return max(1, jobs)


def _shared_text(text: str) -> int:
    match = _SHARED_TEXT.fullmatch(text)
    return max(1, int(match["jobs"])) if match else 1


def _from_text(record: document.Record) -> Partition:
    default = document.text(record, "DefaultTime")
    nodes = document.text(record, "Nodes")
    return Partition(
        name=document.name(record, "PartitionName"),
        nodes=tuple(hostlist.expand(nodes)),
        max_time=units.minutes(document.name(record, "MaxTime")),
        default_time=None if default in {"", "NONE"} else units.minutes(default),
        oversubscribe=_shared_text(document.text(record, "OverSubscribe")),
        state=document.text(record, "State").upper(),
    )
