"""Partitions, as ``scontrol --oneliner show partition`` lists them.

As text in every version: see :meth:`berth.slurm.answers.commands.Commands.partition`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from berth.slurm.answers import document
from berth.slurm.errors import SlurmValueError
from berth.slurm.notation import hostlist, units

if TYPE_CHECKING:
    from collections.abc import Collection

_SHARED = re.compile(r"(?:YES|FORCE):(?P<jobs>[0-9]{1,5})")


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
    return [_partition(record) for record in document.records(answer, document.ONELINE)]


def _listed(record: document.Record, key: str) -> tuple[str, ...]:
    """Return names; none where all are meant."""
    found = document.words(record, key)
    return () if found == ("ALL",) else found


def _shared(text: str) -> int:
    match = _SHARED.fullmatch(text)
    return max(1, int(match["jobs"])) if match else 1


def _partition(record: document.Record) -> Partition:
    default = document.text(record, "DefaultTime")
    nodes = document.text(record, "Nodes")
    return Partition(
        name=document.name(record, "PartitionName"),
        nodes=tuple(hostlist.expand(nodes)),
        max_time=units.minutes(document.name(record, "MaxTime")),
        default_time=None if default in {"", "NONE"} else units.minutes(default),
        oversubscribe=_shared(document.text(record, "OverSubscribe")),
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
    """Return a number; ``None`` where there is no limit."""
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
