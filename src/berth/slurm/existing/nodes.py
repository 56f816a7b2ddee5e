"""Our nodes beside those that a cluster defines already: the same machines, described alike."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from berth.slurm.config import conffile, rows
from berth.slurm.errors import SlurmValueError
from berth.slurm.notation import gres, hostlist
from berth.slurm.notation.units import text_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from berth.slurm.existing.cluster import Cluster, Node

OWN_GRES = "interactive-gres.conf"
# What a session can be given; other resources of theirs (licences, networks) are none of our business.
_OFFERED = frozenset({"gpu", "mps", "shard"})

_TWICE = "{where}: {name} is defined a second time, after {first}: take it out of one of the lines."
_ALIAS = (
    "{where}: {theirs} (NodeHostname={host}, NodeAddr={address}) is the machine that slurm_interactive_nodes "
    "calls {name}: write name: {theirs} there."
)
_DIFFERS = "{where}: {name} has {said}, slurm_interactive_nodes says {ours}: write what is true in both."
_GRES_DIFFERS = (
    "{where}: gres mismatch: {name} has Gres={said}, slurm_interactive_nodes says {ours}: write what is "
    "true in both."
)
_REPEATED = (
    "{where}: describes the GPUs of {name}, as slurm_interactive_nodes does: take the node out of this line, "
    "or define it in slurm.conf."
)
_NO_FILES = (
    "{where}: has no device files of the GPUs of {name} (File= or AutoDetect=): every job could open all."
)


@dataclass(frozen=True)
class Ours:
    """One of our nodes as its row in ``slurm.conf`` would describe it; *memory* in MiB."""

    name: str
    machines: frozenset[str]
    cpus: int
    memory: int
    gres: str


class _Sentences:
    """Sentences about nodes, where those that differ by the node's name alone become one."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}

    def add(self, sentence: str, name: str, **words: object) -> None:
        self._names.setdefault(sentence.format(name="{name}", **words), []).append(name)

    def all(self) -> list[str]:
        return [text.replace("{name}", hostlist.fold(names)) for text, names in self._names.items()]


def ours(descriptions: object) -> dict[str, Ours]:
    """Return our nodes by name.

    Raises:
        SlurmValueError: a description is wrong.
    """
    found: dict[str, Ours] = {}
    for row in rows.nodes(descriptions):  # type: ignore[arg-type]  # any shape is checked there
        given = {key.lower(): str(value) for key, value in row.items() if value is not None}
        for name in hostlist.expand(text_of(row["NodeName"])):
            machines = frozenset({name, given.get("nodehostname", name), given.get("nodeaddr", name)})
            memory, gpus = int(given["realmemory"]), given.get("gres", "")
            found[name] = Ours(name, machines, int(given["cpus"]), memory, gpus)
    return found


def kinds(nodes: Mapping[str, Ours]) -> set[str]:
    """Return the names of generic resources that our nodes have."""
    return {item.name for node in nodes.values() for item in gres.parse(node.gres)}


def conflicts(theirs: Cluster, nodes: Mapping[str, Ours]) -> list[str]:
    """Return sentences about machines that are defined twice, or not as we describe them."""
    found = _Sentences()
    first: dict[str, Node] = {}
    machines: dict[str, Node] = {}
    for node in theirs.nodes:
        if node.name in first:
            found.add(_TWICE, node.name, where=node.where, first=first[node.name].where)
        elif node.name in nodes:
            _compare(node, nodes[node.name], found)
        first.setdefault(node.name, node)
        machines |= dict.fromkeys((node.hostname, node.address), node)
    for name, mine in nodes.items():
        same = [machines[word] for word in sorted(mine.machines) if word in machines]
        if name not in first and same:
            words = {"theirs": same[0].name, "host": same[0].hostname, "address": same[0].address}
            found.add(_ALIAS, name, where=same[0].where, **words)
    return found.all()


def _compare(node: Node, mine: Ours, found: _Sentences) -> None:
    """Note what differs between their line about a node and our description of it."""
    cpus, memory = _cpus(node.values), _number(node.values.get("realmemory"))
    if cpus != mine.cpus:
        found.add(_DIFFERS, node.name, where=node.where, said=f"CPUs={cpus}", ours=f"cpus: {mine.cpus}")
    if memory != mine.memory:
        said = f"RealMemory={memory}" if "realmemory" in node.values else "no RealMemory (1 MiB, to Slurm)"
        found.add(_DIFFERS, node.name, where=node.where, said=said, ours=f"memory: {mine.memory}M")
    text = node.values.get("gres", "")
    try:
        same = _counts(text) == _counts(mine.gres)
    except SlurmValueError:
        same = False
    if not same:
        words = {"said": text or "(none)", "ours": mine.gres or "(none)"}
        found.add(_GRES_DIFFERS, node.name, where=node.where, **words)


def _counts(text: str) -> dict[tuple[str, str], int]:
    """Return the devices that sessions use by name and type."""
    counts: dict[tuple[str, str], int] = {}
    for item in gres.parse(text):
        if item.name in _OFFERED and item.count:
            key = (item.name, (item.type or "").lower())
            counts[key] = counts.get(key, 0) + item.count
    return counts


def _cpus(values: Mapping[str, str]) -> int:
    """Return the CPUs of a line, as Slurm counts them where it does not say."""
    said = values.get("cpus") or values.get("procs")
    if said:
        return _number(said)
    sockets = _number(values.get("sockets"))
    if "socketsperboard" in values:
        sockets = _number(values.get("boards")) * _number(values.get("socketsperboard"))
    return sockets * _number(values.get("corespersocket")) * _number(values.get("threadspercore"))


def _number(text: str | None) -> int:
    """Read a count; Slurm takes one that is not given for 1."""
    return int(text) if text and text.isdecimal() else 1


def devices(
    files: Mapping[str, str | None],
    directory: str,
    defined: Collection[str],
    nodes: Mapping[str, Ours],
    host: str | None,
) -> list[str]:
    """Return sentences about ``gres.conf``: device files that it lacks, rows that ours would repeat.

    *host* is the node that was read, ``""`` where the file serves all of them, ``None`` where it serves none.
    """
    if host is None:
        return []
    path = posixpath.join(directory, "gres.conf")
    statements = conffile.read(files, path, posixpath.join(directory, OWN_GRES)).statements
    found = _Sentences()
    for name, node in nodes.items():
        about = [item for item in statements if _is_about(item, name, host)]
        gpus = [item for item in about if _said(item, "name") == "gpu"]
        open_to_all = not any(_said(item, "file") or _probes(item) for item in about)
        if "gpu" not in kinds({name: node}):
            continue
        if name not in defined and gpus:
            found.add(_REPEATED, name, where=gpus[0].where)
        elif name in defined and host in {"", name} and open_to_all:
            found.add(_NO_FILES, name, where=path)
    return found.all()


def _is_about(item: conffile.Statement, name: str, host: str) -> bool:
    """Tell whether a row of ``gres.conf`` is about a node; without a name it is about its reader."""
    if item.key != "nodename":
        return host in {"", name}
    try:
        return name in hostlist.expand(item.value)
    except SlurmValueError:
        return False


def _probes(item: conffile.Statement) -> bool:
    return _said(item, "autodetect") not in {"", "off"}


def _said(item: conffile.Statement, key: str) -> str:
    value: str = item.value if item.key == key else item.more.get(key, "")
    return value.lower()
