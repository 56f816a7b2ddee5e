"""Partitions of theirs that hold our nodes: which of them let sessions run beside their jobs.

Sentences follow Slurm's ``select/cons_tres`` (``_verify_node_state``). A job of a partition with ``FORCE:n``,
also ``FORCE:1``, may run on a node beside jobs of another such partition; one of a partition with ``NO``
(``YES:1``, or what Slurm takes for it) may not; with ``YES:n`` it may if it asked for ``--oversubscribe``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from berth.slurm.notation import hostlist

if TYPE_CHECKING:
    from collections.abc import Sequence

    from berth.slurm.existing.cluster import Cluster, Partition

_OVERSUBSCRIBE = re.compile(r"(?P<word>YES|FORCE)(?::(?P<jobs>[0-9]+))?")
_TAKEN = (
    "{where}: there is a partition {name} already: take that line out, or choose another "
    "slurm_interactive_partition."
)
_DEFAULT = (
    "{where}: {name} takes the jobs that name no partition: set slurm_interactive_default to false, "
    "or take Default=YES out of that line."
)
_ONE_USER = (
    "{where}: {name} holds {nodes} with ExclusiveUser=YES: a node then runs jobs of one user only. "
    "Take the nodes out of {name}, or ExclusiveUser out of the line."
)
_WHOLE = (
    "{where}: {name} holds {nodes} with OverSubscribe=EXCLUSIVE: its jobs take whole nodes, so they and "
    "sessions "
    "wait for each other. Take the nodes out of {name}."
)
_ALONE = (
    "{where}: {name} holds {nodes} with OverSubscribe={value}: a node then runs jobs of one partition at "
    "a time, so "
    "its jobs and sessions wait for each other. Write OverSubscribe=FORCE:1, with which its jobs still "
    "share no core "
    "among themselves, or take the nodes out of {name}."
)
_ASKED = (
    "{where}: {name} holds {nodes} with OverSubscribe={value}: only those of its jobs that ask for "
    "--oversubscribe "
    "run on a node beside sessions; the others and sessions wait for each other. With FORCE:1 none waits."
)
_STRANDED = (
    "{where}: {name} names {nodes}, which only interactive.conf defines: take the nodes out of that line, "
    "or define them in slurm.conf."
)


def conflicts(
    theirs: Cluster, nodes: Sequence[str], name: str, *, default: bool
) -> tuple[list[str], list[str]]:
    """Return conflicts and hints about partitions beside ours, which has *name* and *nodes*."""
    found: list[str] = []
    hints: list[str] = []
    for partition in theirs.partitions:
        if partition.name == name:
            found.append(_TAKEN.format(where=partition.where, name=name))
            continue
        if default and partition.says("default"):
            found.append(_DEFAULT.format(where=partition.where, name=partition.name))
        shared, sentence = partition.holds(nodes), _sharing(partition)
        if shared and sentence:
            value = _oversubscribe(partition) or "NO (Slurm's default)"
            words = {"where": partition.where, "name": partition.name, "value": value}
            target = hints if sentence is _ASKED else found
            target.append(sentence.format(nodes=hostlist.fold(shared), **words))
    return found, hints


def stranded(theirs: Cluster, nodes: Sequence[str]) -> list[str]:
    """Return sentences about partitions of theirs that name *nodes*, which only our file defines."""
    named = [(part, [] if part.nodes is None else part.holds(nodes)) for part in theirs.partitions]
    return [
        _STRANDED.format(where=part.where, name=part.name, nodes=hostlist.fold(names))
        for part, names in named
        if names
    ]


def _oversubscribe(partition: Partition) -> str:
    return partition.values.get("oversubscribe") or partition.values.get("shared") or ""


def _sharing(partition: Partition) -> str:
    """Return the sentence about what a partition does to sessions on its nodes; none where all is well."""
    value = _oversubscribe(partition).upper()
    if partition.says("exclusiveuser"):
        return _ONE_USER
    if value == "EXCLUSIVE":
        return _WHOLE
    match = _OVERSUBSCRIBE.fullmatch(value)
    if match is None or match["jobs"] == "0" or (match["word"], match["jobs"]) == ("YES", "1"):
        return _ALONE
    return "" if match["word"] == "FORCE" else _ASKED
