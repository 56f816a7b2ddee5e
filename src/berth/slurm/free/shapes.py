"""The shapes of nodes: what one job can get on a node at most, whatever is free now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from berth.slurm.answers.nodes import Node
    from berth.slurm.answers.partitions import Partition


@dataclass(frozen=True)
class Shape:
    """What each of some equal nodes has."""

    cores: int
    memory_mib: int
    gpus: dict[str, int] = field(default_factory=dict)
    """GPUs by type; ``""`` stands for no type."""
    nodes: frozenset[str] = frozenset()

    def has_gpus(self, gpu_type: str, count: int) -> bool:
        """Tell whether a node has so many GPUs of a type (``""`` for those without a type)."""
        return count == 0 or self.gpus.get(gpu_type, 0) >= count


def distinct(nodes: Iterable[Node], partition: Partition | None) -> tuple[Shape, ...]:
    """Return every shape once, the partition's limits for one node taken into account."""
    cores = partition.max_cores_per_node if partition is not None else None
    memory = partition.max_memory_per_node if partition is not None else None
    found: dict[tuple[int, int, tuple[tuple[str, int], ...]], list[str]] = {}
    for node in nodes:
        key = (_least(node.cpus, cores), _least(node.memory_mib, memory), tuple(sorted(node.gpus.items())))
        found.setdefault(key, []).append(node.name)
    return tuple(
        Shape(cpus, mebibytes, dict(gpus), frozenset(names))
        for (cpus, mebibytes, gpus), names in found.items()
    )


def _least(has: int, limit: int | None) -> int:
    return has if limit is None else min(has, limit)
