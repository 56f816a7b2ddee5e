"""Rows of ``slurm.conf`` and ``gres.conf`` from the plain description of a site's nodes and partitions.

A row is a mapping from Slurm's own parameter names to values, ready for :func:`berth.slurm.config.conf.line`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from berth.slurm.config import gpus
from berth.slurm.config.describe import Item, items
from berth.slurm.errors import SlurmValueError
from berth.slurm.notation import hostlist, units

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Row = dict[str, object]

_OVERSUBSCRIBE = re.compile(r"NO|EXCLUSIVE|(?:YES|FORCE)(?::[1-9][0-9]{0,3})?")
_STATES = frozenset({"UP", "DOWN", "DRAIN", "INACTIVE"})
NODE_KEYS = frozenset(
    {"name", "address", "cpus", "sockets", "cores_per_socket", "threads_per_core"}
    | {"memory", "gpus", "autodetect", "gpu_flags", "features", "options"},
)
"""What the description of a node may hold."""
_PARTITION_KEYS = frozenset(
    {"name", "nodes", "default", "oversubscribe", "max_time", "default_time", "state", "options"}
    | {"default_memory_per_cpu", "max_memory_per_node", "allow_accounts", "allow_groups"},
)


def nodes(descriptions: Iterable[Mapping[str, object]]) -> list[Row]:
    """Write the ``NodeName`` rows of ``slurm.conf``, nodes that are equal folded into one row.

    Each description holds ``name``, ``cpus`` and ``memory`` (text, ``"512G"``) and may hold ``sockets``,
    ``cores_per_socket``, ``threads_per_core``, ``address``, ``features``, ``gpus`` (see
    :mod:`berth.slurm.config.gpus`), ``autodetect``, ``gpu_flags`` and ``options`` (Slurm parameters by
    their own names).

    Raises:
        SlurmValueError: a description is wrong; the sentence names the node and the key.
    """
    return _fold(_described(descriptions), lambda node: [_node(node)])


def gres(descriptions: Iterable[Mapping[str, object]]) -> list[Row]:
    """Write the rows of ``gres.conf`` for the same descriptions as :func:`nodes`.

    Raises:
        SlurmValueError: as in :func:`nodes`; also where GPUs have no device files and are not detected.
    """
    return _fold(_described(descriptions), gpus.rows)


def gres_types(descriptions: Iterable[Mapping[str, object]]) -> list[str]:
    """Return what ``GresTypes`` has to name for the same descriptions as :func:`nodes`: ``gpu`` first.

    Raises:
        SlurmValueError: as in :func:`nodes`.
    """
    return gpus.types(_described(descriptions))


def partitions(
    descriptions: Iterable[Mapping[str, object]],
    nodes: Iterable[Mapping[str, object]],
) -> list[Row]:
    """Write the ``PartitionName`` rows of ``slurm.conf``; *nodes* are the descriptions of :func:`nodes`.

    Each description holds ``name`` and ``nodes`` (``ALL``, a hostlist or a list of them) and may hold
    ``default``, ``oversubscribe`` (``NO``, ``EXCLUSIVE``, ``YES[:n]``, ``FORCE[:n]``), ``max_time``,
    ``default_time``, ``default_memory_per_cpu``, ``max_memory_per_node``, ``allow_accounts``,
    ``allow_groups``, ``state`` and ``options`` (further Slurm parameters by their own names).

    Raises:
        SlurmValueError: a description is wrong, names an unknown node, or two are the default.
    """
    known = frozenset(item.text("name") for item in _described(nodes))
    found = _named(descriptions, "partition", _PARTITION_KEYS)
    default = [item.text("name") for item in found if item.flag("default")]
    if len(default) > 1:
        raise SlurmValueError(f"partitions {', '.join(default)}: only one can be the default")
    return [_partition(item, known) for item in found]


def _described(descriptions: Iterable[Mapping[str, object]]) -> list[Item]:
    return _named(descriptions, "node", NODE_KEYS)


def _named(descriptions: Iterable[Mapping[str, object]], what: str, keys: frozenset[str]) -> list[Item]:
    """Wrap descriptions, whose names must all differ and be single names."""
    found = items(descriptions, what, keys)
    seen: set[str] = set()
    for item in found:
        name = item.text("name")
        if item.checked("name", hostlist.expand) != [name]:
            raise item.error("name", f"{name!r} is not a single name")
        if name in seen:
            raise item.error("name", "described twice")
        seen.add(name)
    return found


def _fold(found: list[Item], rows_of: Callable[[Item], list[Row]]) -> list[Row]:
    """Write the rows of each item, those that are equal in all of them under one folded ``NodeName``."""
    names: dict[str, list[str]] = {}
    rows: dict[str, list[Row]] = {}
    for item in found:
        own = rows_of(item)
        key = repr(own)  # the rows hold plain text and numbers only
        rows[key] = own
        names.setdefault(key, []).append(item.text("name"))
    return [{"NodeName": hostlist.fold(names[key]), **row} for key, own in rows.items() for row in own]


def _node(item: Item) -> Row:
    memory = item.checked("memory", units.mebibytes)
    if memory == 0:
        raise item.error("memory", "a node has some memory")
    row: Row = {"NodeAddr": item.optional_text("address")}
    row |= {"CPUs": item.number("cpus")} | _topology(item)
    row |= {"RealMemory": memory, "Gres": gpus.gres(item) or None}
    row |= {"Feature": ",".join(item.texts("features")) or None, "State": "UNKNOWN"}
    return _with_options(item, row)


def _topology(item: Item) -> Row:
    """Return sockets, cores and threads where they are described; they must explain the CPUs."""
    keys = {"Sockets": "sockets", "CoresPerSocket": "cores_per_socket", "ThreadsPerCore": "threads_per_core"}
    found = {word: item.number(key) for word, key in keys.items() if item.has(key)}
    if len(found) == len(keys):
        cores = found["Sockets"] * found["CoresPerSocket"]
        cpus = item.number("cpus")
        # Slurm also takes one CPU for each core of a node with hardware threads.
        if cpus not in {cores, cores * found["ThreadsPerCore"]}:
            raise item.error("cpus", f"{cpus} CPUs do not match sockets, cores and threads")
    return dict(found)


def _partition(item: Item, known: frozenset[str]) -> Row:
    memory = {"DefMemPerCPU": "default_memory_per_cpu", "MaxMemPerNode": "max_memory_per_node"}
    row: Row = {"PartitionName": item.text("name"), "Nodes": _members(item, known)}
    row |= {"Default": True if item.flag("default") else None}
    row |= {"OverSubscribe": _choice(item, "oversubscribe", _OVERSUBSCRIBE.fullmatch)}
    row |= _times(item)
    row |= {word: item.checked(key, units.mebibytes) for word, key in memory.items() if item.has(key)}
    row |= {"AllowAccounts": ",".join(item.texts("allow_accounts")) or None}
    row |= {"AllowGroups": ",".join(item.texts("allow_groups")) or None}
    row |= {"State": _choice(item, "state", _STATES.__contains__) or "UP"}
    return _with_options(item, row)


def _members(item: Item, known: frozenset[str]) -> str:
    """Return the ``Nodes`` parameter; every node must have been described."""
    expressions = item.texts("nodes")
    if [expression.upper() for expression in expressions] == ["ALL"]:
        return "ALL"
    names = [name for text in expressions for name in item.checking("nodes", hostlist.expand, text)]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise item.error("nodes", f"no such node: {hostlist.fold(unknown)}" if unknown else "is empty")
    return hostlist.fold(names)


def _choice(item: Item, key: str, accepts: Callable[[str], object]) -> str | None:
    text = item.optional_text(key)
    if text is not None and not accepts(text.upper()):
        raise item.error(key, f"{text!r} is not a value that Slurm knows")
    return text.upper() if text is not None else None


def _times(item: Item) -> Row:
    """Return the partition's limits, the default not above the maximum."""
    keys = {"MaxTime": "max_time", "DefaultTime": "default_time"}
    found = {word: item.checked(key, units.minutes) for word, key in keys.items() if item.has(key)}
    highest = found.get("MaxTime")
    lowest = found.get("DefaultTime", 0)
    if highest is not None and (lowest is None or lowest > highest):
        raise item.error("default_time", "is longer than max_time")
    return {word: units.duration(limit) for word, limit in found.items()}


def _with_options(item: Item, row: Row) -> Row:
    """Add the free parameters of *item* to those that are set in *row*; Slurm ignores their case."""
    written = {key: value for key, value in row.items() if value is not None}
    taken = {key.lower() for key in ("NodeName", *written)}
    for key, value in item.mapping("options").items():
        if key.lower() in taken:
            raise item.error("options", f"{key} is set by another key of this description")
        written[key] = value
    return written
