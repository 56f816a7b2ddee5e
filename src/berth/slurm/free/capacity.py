"""What is left on each node at one moment. Pure: snapshots in, figures out.

On a partition with ``OverSubscribe=FORCE:n`` a node's ``alloc_cpus`` is the union of n rows: a node that is
shown as allocated may have room. Cores are therefore counted from the jobs; memory and GPUs are never shared.

A node costs about 20 microseconds: with thousands of them, count once for each snapshot, not for each caller
(see :mod:`berth.slurm.free.openings`).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from berth.slurm.answers.jobs import Job
    from berth.slurm.answers.nodes import Node


@dataclass(frozen=True)
class Request:
    """What a session asks for on one node."""

    cores: int
    memory_mib: int
    gpus: int = 0
    gpu_type: str | None = None
    """``None`` takes any type, as ``--gres=gpu:1`` does."""
    minutes: int | None = None
    """Time limit; ``None`` for no limit."""
    reservation: str | None = None


@dataclass(frozen=True)
class Room:
    """What a new job can still get on one node."""

    node: Node
    cores: int
    """Free cores, those of all rows together."""
    widest: int
    """Most cores that one job can get: those free in one row."""
    memory_mib: int
    gpus: dict[str, int] = field(default_factory=dict)
    """Free GPUs by type; ``""`` stands for no type. Every type the node has is here."""

    def fits(self, request: Request) -> bool:
        """Tell whether *request* finds its cores, memory and GPUs here."""
        kinds = self.gpus.values() if request.gpu_type is None else [self.gpus.get(request.gpu_type, 0)]
        enough_gpus = request.gpus == 0 or sum(kinds) >= request.gpus
        return enough_gpus and request.cores <= self.widest and request.memory_mib <= self.memory_mib

    def covers(self, other: Room) -> bool:
        """Tell whether here is room for whatever finds room in *other*."""
        return (
            self.widest >= other.widest
            and self.memory_mib >= other.memory_mib
            and all(self.gpus.get(kind, 0) >= count for kind, count in other.gpus.items())
        )


def rooms(nodes: Iterable[Node], jobs: Iterable[Job], *, shared_by: int) -> list[Room]:
    """Return what is left on each node, whether it takes jobs or not."""
    running = _jobs_by_node(jobs)
    return [_room(node, running.get(node.name, ()), shared_by) for node in nodes]


def _jobs_by_node(jobs: Iterable[Job]) -> dict[str, list[Job]]:
    """Return the jobs that hold something, by the name of each of their nodes."""
    found: defaultdict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        if job.running:
            for name in job.nodes:
                found[name].append(job)
    return found


def _share(amount: int, job: Job) -> int:
    """Return a node's share of what *job* holds on all its nodes, rounded up."""
    return -(-amount // max(1, len(job.nodes)))


def _room(node: Node, jobs: Sequence[Job], shared_by: int) -> Room:
    """Return what is left on one node.

    Jobs and nodes are asked for at different moments, and the list of jobs may leave some out (those of
    another partition, or private ones). So whatever either of them says is taken counts as taken.
    """
    wanted = sorted((_share(job.cpus, job) for job in jobs), reverse=True)
    memory = max(node.alloc_memory_mib, sum(job.memory_mib for job in jobs))
    taken = max(sum(wanted), node.alloc_cpus)
    cores = max(0, node.cpus * shared_by - taken)
    return Room(
        node=node,
        cores=cores,
        widest=min(cores, _widest(wanted, node.cpus, shared_by)),
        memory_mib=max(0, node.memory_mib - memory),
        gpus=_free_gpus(node, jobs),
    )


def _widest(wanted: Sequence[int], cpus: int, rows: int) -> int:
    """Return the cores left in the emptiest row, jobs being laid in the fullest row that takes them."""
    if not wanted:
        return cpus if rows else 0
    left = [cpus] * rows
    for cores in wanted:
        takers = [row for row, free in enumerate(left) if free >= cores]
        row = min(takers, key=left.__getitem__) if takers else left.index(max(left))
        left[row] = max(0, left[row] - cores)
    return max(left, default=0)


def _free_gpus(node: Node, jobs: Sequence[Job]) -> dict[str, int]:
    """Return the free GPUs of each type the node has: those of which nobody has all or a part."""
    held: dict[str, int] = defaultdict(int)
    for job in jobs:
        for kind, count in _by_type(job.gpus, node).items():
            held[kind] += _share(count, job)
    shared = _by_type(node.gpus_shared, node)
    return {
        kind: max(0, count - max(node.gpus_used.get(kind, 0), held[kind]) - shared.get(kind, 0))
        for kind, count in node.gpus.items()
    }


def _by_type(counts: Mapping[str, int], node: Node) -> Mapping[str, int]:
    """Return *counts* by the types that *node* has; without a type, they may be of any of these."""
    if "" in node.gpus or set(counts) != {""}:
        return counts
    return dict.fromkeys(node.gpus, counts[""])
