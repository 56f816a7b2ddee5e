"""What Slurm lets one job of one user have: the limits of partition, QOS and association in Slurm's order.

The order is that of https://slurm.schedmd.com/resource_limits.html: the QOS of the partition, the QOS of the
job (first, if it has ``OverPartQOS``), the association. The first that limits something decides. The
partition's longest time holds besides, unless the job's QOS has ``PartitionTimeLimit``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from berth.slurm.answers import qos

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from berth.slurm.answers.associations import Association
    from berth.slurm.answers.jobs import Job
    from berth.slurm.answers.partitions import Partition
    from berth.slurm.answers.qos import Limits, Qos

NORMAL = "normal"
"""The QOS that Slurm makes itself, and takes when nothing else is said."""
_REQUEST = (qos.JOB, qos.NODE, qos.USER, qos.ACCOUNT, qos.GROUP)


@dataclass(frozen=True)
class Use:
    """How much running jobs have of what all those of a user may have together."""

    used: int
    most: int

    @property
    def left(self) -> int:
        """What a job may ask for that is to start beside them."""
        return max(0, self.most - self.used)


@dataclass(frozen=True)
class Enforced:
    """What holds for the jobs of one association in one partition."""

    minutes: int | None = None
    """Longest time of a job; ``None`` for no limit."""
    limits: Limits = field(default_factory=dict)
    by_account: frozenset[str] = frozenset()
    """What of :data:`berth.slurm.answers.qos.JOBS` and ``SUBMIT`` is counted in the account alone."""

    def most(self, what: str) -> int | None:
        """Return how much of a resource a single job may ask for; above it, Slurm never starts it."""
        found = [limit for (scope, name), limit in self.limits.items() if name == what and scope in _REQUEST]
        return min(found, default=None)

    def least(self, what: str) -> int:
        """Return how much of a resource a job has to ask for."""
        return self.limits.get((qos.LEAST, what), 0)

    def use(self, jobs: Iterable[Job], what: str) -> Use | None:
        """Return how much of a resource *jobs*, all those of the user, have; ``None`` without a limit."""
        most = self.limits.get((qos.USER, what))
        return None if most is None else Use(used(jobs, what), most)

    def gpu_types(self) -> frozenset[str]:
        """Return the types of GPU that are limited by themselves; ``""`` stands for all together."""
        names = [name for scope, name in self.limits if name.split(":")[0] == qos.GPU and scope in _REQUEST]
        return frozenset(name.partition(":")[2] for name in names)


def enforced(
    association: Association | None,
    partition: Partition | None,
    known: Mapping[str, Qos],
    *,
    limits: bool,
) -> Enforced:
    """Return what holds.

    *known* are the QOS by name; *limits* says whether Slurm enforces any besides those of the partition.
    """
    longest = partition.max_time if partition is not None else None
    if not limits:
        return Enforced(minutes=longest)
    own = known.get(job_qos(association))
    theirs = known.get(partition.qos) if partition is not None else None
    order = [theirs, own]
    if own is not None and "OverPartQOS" in own.flags:
        order.reverse()
    found: dict[tuple[str, str], int] = dict(
        _scaled(association, [item for item in order if item is not None])
    )
    counted = frozenset(what for what in (qos.JOBS, qos.SUBMIT) if (qos.USER, what) in found)
    for item in reversed(order):
        if item is not None:
            found |= item.limits
            counted -= {what for scope, what in item.limits if scope == qos.USER}
    if own is not None and "PartitionTimeLimit" in own.flags:
        longest = None
    walls = [limit for limit in (longest, found.get((qos.JOB, qos.WALL))) if limit is not None]
    return Enforced(min(walls, default=None), found, counted)


def job_qos(association: Association | None) -> str:
    """Return the name of the QOS that a job gets that asks for none."""
    if association is None:
        return NORMAL
    return association.default_qos or (association.qos[0] if len(association.qos) == 1 else NORMAL)


def _scaled(association: Association | None, order: list[Qos]) -> Limits:
    """Return an association's limits, its resources multiplied as the first QOS with a factor says."""
    if association is None:
        return {}
    factor = next((item.factor for item in order if item.factor != 1), 1.0)
    counts = {qos.WALL, qos.JOBS, qos.SUBMIT}
    return {
        key: limit if key[1] in counts or key[0] == qos.NODE else int(limit * factor)
        for key, limit in association.limits.items()
    }


def used(jobs: Iterable[Job], what: str) -> int:
    """Return how much of a resource running jobs have, or how many jobs run (``SUBMIT``: or wait)."""
    if what == qos.SUBMIT:
        return sum(job.running or job.pending for job in jobs)
    running = [job for job in jobs if job.running]
    if what == qos.JOBS:
        return len(running)
    if what == qos.CPU:
        return sum(job.cpus for job in running)
    if what == qos.MEMORY:
        return sum(job.memory_mib * max(1, len(job.nodes)) for job in running)
    kind = what.partition(":")[2]
    return sum(count for job in running for name, count in job.gpus.items() if kind in {"", name})
