"""How many GPUs a partition has, and how many of them nobody has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from berth.slurm.answers.records import Node


@dataclass(frozen=True)
class GpuTotal:
    """GPUs of one type on all nodes; together they are all there are."""

    allocated: int = 0
    """Those that jobs have, whole or in part."""
    idle: int = 0
    """Those that nobody has, on nodes that take new jobs."""
    unavailable: int = 0
    """Those that nobody has, on nodes that take none: out of service, planned for somebody, switched off."""

    def __add__(self, other: GpuTotal) -> GpuTotal:
        """Return both together."""
        return GpuTotal(
            self.allocated + other.allocated, self.idle + other.idle, self.unavailable + other.unavailable
        )


def gpus(nodes: Iterable[Node]) -> dict[str, GpuTotal]:
    """Return the GPUs of nodes by type; `""` stands for no type."""
    found: dict[str, GpuTotal] = {}
    for node in nodes:
        for kind, count in node.gpus.items():
            allocated = min(count, node.gpus_used.get(kind, 0) + node.gpus_shared.get(kind, 0))
            left = count - allocated
            mine = GpuTotal(allocated, left, 0) if node.schedulable else GpuTotal(allocated, 0, left)
            found[kind] = found.get(kind, GpuTotal()) + mine
    return found
