"""A cluster as its ``slurm.conf`` describes it: settings, nodes and partitions, each with its place."""

from __future__ import annotations

import re
from collections import ChainMap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from berth.slurm.errors import SlurmValueError
from berth.slurm.notation import hostlist

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from berth.slurm.config.conffile import Reading, Statement

_YES = frozenset({"yes", "up", "true", "1"})
_RUNNING = re.compile(r"(?P<key>[A-Za-z_]\w*)\s*=(?P<value>.*)")
RUNNING = "the running slurmctld"
"""The place of a setting that no file makes."""


@dataclass(frozen=True)
class Setting:
    """The value of a parameter, and the place that says so."""

    value: str
    where: str

    def words(self) -> frozenset[str]:
        """Return the words of a list in lower case, plugins without their kind (``cgroup``)."""
        return frozenset(word.strip().lower().rpartition("/")[2] for word in self.value.split(","))


@dataclass(frozen=True)
class Node:
    """One node; *values* are the parameters (lower case) of its line and of ``DEFAULT`` lines above it."""

    name: str
    hostname: str
    address: str
    values: Mapping[str, str]
    where: str


@dataclass(frozen=True)
class Partition:
    """One partition; *nodes* are ``None`` where it holds all that there are."""

    name: str
    nodes: frozenset[str] | None
    values: Mapping[str, str]
    where: str

    def holds(self, names: Iterable[str]) -> list[str]:
        """Return those of *names* that are its nodes."""
        return [name for name in names if self.nodes is None or name in self.nodes]

    def says(self, key: str) -> bool:
        """Tell whether a parameter is YES."""
        return self.values.get(key, "").lower() in _YES


@dataclass(frozen=True)
class Cluster:
    """All of it. *problems* are sentences about lines that cannot be understood."""

    settings: Mapping[str, Setting]
    nodes: tuple[Node, ...]
    partitions: tuple[Partition, ...]
    problems: tuple[str, ...]

    def setting(self, key: str) -> Setting:
        """Return a parameter by its name in any case; an empty value where nobody says anything."""
        return self.settings.get(key.lower(), Setting("", RUNNING))


def cluster(reading: Reading, running: str = "") -> Cluster:
    """Understand what was read; *running* is the answer of ``scontrol show config`` for what no file says."""
    problems: list[str] = []
    told = {item.key: Setting(item.value, item.where) for item in reading.statements}
    nodes = [
        node
        for item, values in _with_defaults(reading.statements, "nodename")
        for node in _nodes(item, values, problems)
    ]
    sets = _nodesets(reading.statements, nodes, problems)
    partitions = [
        Partition(item.value, _members(item, values, sets, problems), values, item.where)
        for item, values in _with_defaults(reading.statements, "partitionname")
    ]
    settings = {**settings_of(running), **told}
    return Cluster(settings, tuple(nodes), tuple(partitions), tuple(problems))


def settings_of(running: str) -> dict[str, Setting]:
    """Read the answer of ``scontrol show config``."""
    found: dict[str, Setting] = {}
    for line in running.splitlines():
        match = _RUNNING.fullmatch(line)
        if match is not None:
            value = match["value"].strip()
            found.setdefault(match["key"].lower(), Setting("" if value == "(null)" else value, RUNNING))
    return found


def _with_defaults(
    statements: Iterable[Statement], key: str
) -> Iterable[tuple[Statement, Mapping[str, str]]]:
    """Yield the lines of a kind with the values of the ``DEFAULT`` lines above them, as Slurm merges them."""
    defaults: Mapping[str, str] = {}
    for item in statements:
        if item.key == key and item.value.upper() == "DEFAULT":
            defaults = {**defaults, **item.more}
        elif item.key == key:
            yield item, ChainMap(dict(item.more), dict(defaults))


def _nodes(item: Statement, values: Mapping[str, str], problems: list[str]) -> list[Node]:
    names = expanded(item, "NodeName", item.value, problems)
    given = item.more.get("nodehostname")
    hosts = expanded(item, "NodeHostname", given, problems) if given else names
    # Addresses are compared, not used: one that is no hostlist (IPv6) stands for itself.
    addresses = _spread(item.more.get("nodeaddr", ""))
    found = []
    for number, name in enumerate(names):
        host = hosts[number] if number < len(hosts) else name
        address = addresses[number] if number < len(addresses) else host
        found.append(Node(name, host, address, values, item.where))
    return found


def expanded(item: Statement, key: str, text: str, problems: list[str]) -> list[str]:
    """Expand a hostlist of a line; note it among the *problems* where it is none."""
    try:
        return hostlist.expand(text)
    except SlurmValueError as error:
        problems.append(f"{item.where}: {key}: {error}.")
        return []


def _spread(text: str) -> list[str]:
    try:
        return hostlist.expand(text)
    except SlurmValueError:
        return text.split(",")


def _nodesets(
    statements: Iterable[Statement], nodes: list[Node], problems: list[str]
) -> dict[str, frozenset[str]]:
    """Return the nodes of each ``NodeSet``: those that it names and those that have its feature."""
    sets: dict[str, frozenset[str]] = {}
    for item in statements:
        if item.key == "nodeset":
            named = expanded(item, "NodeSet", item.more.get("nodes", ""), problems)
            feature = item.more.get("feature")
            having = [node.name for node in nodes if feature in _features(node)]
            sets[item.value] = frozenset([*named, *having])
    return sets


def _features(node: Node) -> list[str]:
    return (node.values.get("feature") or node.values.get("features") or "").split(",")


def _members(
    item: Statement, values: Mapping[str, str], sets: Mapping[str, frozenset[str]], problems: list[str]
) -> frozenset[str] | None:
    names = expanded(item, "Nodes", values.get("nodes", ""), problems)
    if any(name.upper() == "ALL" for name in names):
        return None
    return frozenset(one for name in names for one in sets.get(name, (name,)))
