"""Partitions, as ``scontrol show partition`` lists them, in JSON or (before 23.02) as text."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from berth.slurm.answers import document
from berth.slurm.errors import SlurmValueError
from berth.slurm.notation import hostlist, units

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
    qos: str = ""
    """The QOS whose limits hold for every job in it; empty for none."""
    allow_groups: tuple[str, ...] = ()
    """Unix groups that may use it; empty for everybody. The same for accounts and QOS."""
    allow_accounts: tuple[str, ...] = ()
    deny_accounts: tuple[str, ...] = ()
    allow_qos: tuple[str, ...] = ()
    deny_qos: tuple[str, ...] = ()
    max_cores_per_node: int | None = None
    max_memory_per_node: int | None = None
    """MiB."""

    def admits_groups(self, groups: Collection[str]) -> bool:
        """Tell whether somebody of these Unix groups may use it."""
        return _admits(self.allow_groups, (), groups)

    def admits_accounts(self, accounts: Collection[str]) -> bool:
        """Tell whether a job may use it that is charged to an account, given with those above it."""
        return _admits(self.allow_accounts, self.deny_accounts, accounts)

    def admits_qos(self, name: str) -> bool:
        """Tell whether a job of that QOS may use it."""
        return _admits(self.allow_qos, self.deny_qos, [name])


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
    accounts, names = document.section(record, "accounts"), document.section(record, "qos")
    return Partition(
        name=document.name(record, "name"),
        nodes=document.hosts(document.section(record, "nodes"), "configured"),
        max_time=document.number(maximums, "time"),
        default_time=document.number(document.section(record, "defaults"), "time"),
        oversubscribe=_shared(record),
        state=states[0].upper() if states else "",
        qos=document.text(names, "assigned"),
        allow_groups=_listed(document.section(record, "groups"), "allowed"),
        allow_accounts=_listed(accounts, "allowed"),
        deny_accounts=_listed(accounts, "deny"),
        allow_qos=_listed(names, "allowed"),
        deny_qos=_listed(names, "deny"),
        max_cores_per_node=document.number(maximums, "cpus_per_node"),
        # 0 stands for no limit
        max_memory_per_node=document.number(maximums, "partition_memory_per_node") or None,
    )


def _listed(record: document.Record, key: str) -> tuple[str, ...]:
    """Return names; none where all are meant."""
    found = document.words(record, key)
    return () if found == ("ALL",) else found


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
        qos="" if document.text(record, "QoS") == "N/A" else document.text(record, "QoS"),
        allow_groups=_listed(record, "AllowGroups"),
        allow_accounts=_listed(record, "AllowAccounts"),
        deny_accounts=_listed(record, "DenyAccounts"),
        allow_qos=_listed(record, "AllowQos"),
        deny_qos=_listed(record, "DenyQos"),
        max_cores_per_node=_limit(record, "MaxCPUsPerNode"),
        max_memory_per_node=_limit(record, "MaxMemPerNode"),
    )


def _limit(record: document.Record, key: str) -> int | None:
    """Return a number in a text answer; ``None`` where there is no limit."""
    value = document.text(record, key)
    if value in {"", "UNLIMITED"}:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 16):  # noqa: PLR2004 - a bound for int()
        raise SlurmValueError(f"{key}: expected a number in Slurm's answer, got {value!r}")
    return int(value) or None


def _admits(listed: Collection[str], denied: Collection[str], names: Collection[str]) -> bool:
    """Tell whether one of *names* is allowed (an empty list allows all), and none is denied.

    Slurm pays no attention to the list that denies where there is one that allows.
    """
    return bool(set(listed) & set(names)) if listed else not set(denied) & set(names)
