"""The cluster as the inventory of the lab under test describes it, read without any of Berth's own code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.lab.machines import lab

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PARTITION: str = lab().variables.get("slurm_interactive_partition", "interactive")
USERS_PER_CORE: int = lab().variables["slurm_interactive_shared_by"]
RESERVED: Mapping[str, str] = {
    item["Nodes"]: item["ReservationName"] for item in lab().variables["slurm_cluster_reservations"]
}
"""The reservation that holds a node: bob's jobs get there by it only."""

_RANGE = re.compile(r"(?P<before>[^\[]*)\[(?P<first>\d+)-(?P<last>\d+)\]")


@dataclass(frozen=True)
class Node:
    """One compute node. Memory is in MiB."""

    name: str
    cpus: int
    memory: int
    devices: Mapping[str, tuple[str, ...]]
    """The device files of its GPUs, by their type."""

    @property
    def reserved(self) -> bool:
        """Whether only the users of a reservation get there."""
        return self.name in RESERVED

    @property
    def all_devices(self) -> tuple[str, ...]:
        """The device files of all its GPUs, in the order of Slurm's indices."""
        return tuple(sorted(path for paths in self.devices.values() for path in paths))


def _files(text: str) -> tuple[str, ...]:
    match = _RANGE.fullmatch(text)
    if match is None:
        return (text,)
    numbers = range(int(match["first"]), int(match["last"]) + 1)
    return tuple(f"{match['before']}{number}" for number in numbers)


def _node(described: Mapping[str, Any]) -> Node:
    memory = described["memory"]
    assert memory.endswith("M"), f"the lab's inventories give memory in M: {memory}"
    devices: dict[str, tuple[str, ...]] = {}
    for gpus in described.get("gpus", ()):
        devices[gpus["type"]] = devices.get(gpus["type"], ()) + _files(gpus["files"])
    return Node(described["name"], described["cpus"], int(memory.removesuffix("M")), devices)


CLUSTER: tuple[Node, ...] = tuple(_node(item) for item in lab().variables["slurm_interactive_nodes"])
GPU_TYPES: Mapping[str, int] = {
    kind: max(len(node.devices.get(kind, ())) for node in CLUSTER)
    for kind in sorted({kind for node in CLUSTER for kind in node.devices})
}
"""Every type of GPU, with the most of it that one node has."""


def _several(nodes: Iterable[Node]) -> tuple[Node, str]:
    found = [(node, kind) for node in nodes for kind, paths in node.devices.items() if len(paths) > 1]
    assert found, "the tests need a reserved node and one that is not, with several GPUs of a type each"
    return found[0]


OPEN_NODE, OPEN_TYPE = _several(node for node in CLUSTER if not node.reserved)
"""A node that everybody may use, and a type of GPU of which it has several."""
COURSE_NODE, COURSE_TYPE = _several(node for node in CLUSTER if node.reserved)
"""The same of a reserved node."""
COURSE: str = RESERVED[COURSE_NODE.name]
