"""The nodes: what Slurm would refuse, and hosts that are no node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from berth.inventory.mistakes import Mistake, nearest
from berth.inventory.reading import explained
from berth.slurm.config import rows
from berth.slurm.errors import SlurmValueError
from berth.slurm.notation import gres

if TYPE_CHECKING:
    from collections.abc import Iterator

    from berth.inventory.site import View

NODES = "slurm_interactive_nodes"

_FIXES = {
    "name": "Give every node one name of its own, as Slurm has it",
    "cpus": "Write what `slurmd -C` prints on the node",
    "memory": "Write RealMemory of `slurmd -C`, less what the system needs, such as 500G",
    "gpus": "Make the groups of GPUs of a node alike",
    "count": "Write the number of GPUs",
    "files": "Name as many device files as count says, each once",
    "options": "Take it out there",
}


@dataclass(frozen=True)
class Size:
    """What a node has."""

    name: str
    cpus: int
    memory: int
    """In MiB."""
    gpus: int


def sizes(view: View) -> list[Size]:
    """Return what the nodes have; those that are described wrongly are left out."""
    found: list[Size] = []
    for node in view.entries(NODES):
        if isinstance(node, dict) and _refused(node) is None:
            row: Any = rows.nodes([node])[0]
            gpus = sum(gres.gpu_counts(row.get("Gres") or "").values())
            found.append(Size(row["NodeName"], row["CPUs"], row["RealMemory"], gpus))
    return found


def names(view: View) -> list[str]:
    """Return the names of the nodes, also of those that are otherwise described wrongly."""
    return [str(node.get("name")) for node in view.entries(NODES) if isinstance(node, dict)]


def described(view: View) -> Iterator[Mistake]:
    """Find nodes that are described wrongly or twice."""
    if not view.entries(NODES):
        yield view.mistake((NODES,), f"{NODES} describes no node", "Describe at least one")
    first: dict[str, int] = {}
    right = True
    for number, node in enumerate(view.entries(NODES)):
        error = _refused(node) if isinstance(node, dict) else None
        right = right and isinstance(node, dict) and error is None
        if not isinstance(node, dict):
            continue  # its shape is reported
        if error is not None:
            yield explained(view, (NODES, number), error, _FIXES)
        name = str(node.get("name"))
        if name in first:
            line = view.place(NODES, first[name], "name")
            fix = f"Keep one of the two; the first is at {line}"
            yield view.mistake((NODES, number, "name"), f"node {name} is described twice", fix)
        first.setdefault(name, number)
    error = _refused(*view.entries(NODES)) if right and len(first) == len(view.entries(NODES)) else None
    if error is not None:
        yield explained(view, (NODES, *error.at[:1]), error, _FIXES)


def member(view: View) -> Iterator[Mistake]:
    """Find that the host of *view*, one of the group interactive_nodes, is not described."""
    name, known = view.text("slurm_cluster_node_name"), names(view)
    if name not in known:
        near = nearest(name, known)
        meant = f" (is {near} meant?)" if near else ""
        problem = f"{view.host.name} is in the group interactive_nodes, but {NODES} has no node {name}"
        fix = f"Describe {name}{meant} at {view.place(NODES)}, or take the host out of the group"
        yield Mistake(view.site.listing(view.host.name, "interactive_nodes"), problem, fix)


def _refused(*descriptions: Any) -> SlurmValueError | None:  # noqa: ANN401 - descriptions as they were written
    for function in (rows.nodes, rows.gres):
        try:
            function(descriptions)
        except SlurmValueError as error:
            return error
    return None
