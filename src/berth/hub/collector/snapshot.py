"""What the hub knows of Slurm at one moment: plain data, handed over by the collector's child process."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from berth.slurm.answers.jobs import FORGOTTEN, Job
from berth.slurm.free import queueing, shapes
from berth.slurm.free.openings import Openings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from berth.slurm.answers.records import Association, Controller, Node, Partition, Qos, Reservation
    from berth.slurm.free.shapes import Shape
    from berth.slurm.free.totals import GpuTotal


@dataclass(frozen=True)
class Part:
    """When one kind of question was last answered, and what failed since."""

    asked_at: float = 0.0
    """Unix time just before the last answered query was sent; 0.0 = never answered."""
    error: str = ""
    """Why the latest attempt failed; empty when it was answered."""


@dataclass(frozen=True)
class Snapshot:
    """The last known state of the partition, each part with its own age.

    A part whose query failed keeps its last answer; `jobs_part` and the others tell how old it is. An answer
    is newer than another only if its part says so: the daemons of Slurm are asked side by side.
    """

    partition: Partition | None = None
    nodes: tuple[Node, ...] = ()
    jobs: dict[int, Job] = field(default_factory=dict)
    """Jobs of the partition that squeue lists, recently ended ones included, by job id."""
    ended: dict[int, Job] = field(default_factory=dict)
    """Answers from accounting about watched jobs that have ended, by job id."""
    forgotten: frozenset[int] = frozenset()
    """Watched jobs that Slurm does not know any more, where no accounting could remember them."""
    absent: Mapping[str, float] = field(default_factory=dict)
    """Watched names that neither squeue nor, asked after it, accounting had, and when squeue was asked."""
    reservations: tuple[Reservation, ...] = ()
    controller: Controller | None = None
    """Whether there is accounting; None until the controller was asked."""
    associations: tuple[Association, ...] = ()
    qos: dict[str, Qos] = field(default_factory=dict)
    """Every QOS by name; none where there is no accounting."""
    openings: Openings = field(default_factory=Openings)
    """What is free, and for whom; counted by the child, as it takes a while on large clusters."""
    gpu_totals: dict[str, GpuTotal] = field(default_factory=dict)
    """The GPUs of all nodes by type, counted by the child, too; `""` stands for no type."""
    jobs_part: Part = Part()
    ends_part: Part = Part()
    """Of the look for watched jobs; its time is that of the look at the queue that missed them."""
    nodes_part: Part = Part()
    accounts_part: Part = Part()

    def updated(self, update: Update) -> Snapshot:
        """Return what is known after an answer; after a failure, what was known before and why it is old."""
        part = Part(update.asked_at)
        if update.error:
            part = replace(getattr(self, update.part), error=update.error)
        return replace(self, **{**update.fields, update.part: part})

    def job(self, job_id: int | None, name: str, user: str) -> Job | None:
        """Return a job: from the queue, else from accounting, else None (not known).

        Name and owner must fit too: the number came from a process of the user's.
        """
        for jobs in (self.jobs, self.ended):
            job = jobs.get(job_id) if job_id is not None else None
            if job is not None and (job.name, job.user) == (name, user):
                return job
        if job_id in self.forgotten and job_id is not None:
            return Job(job_id, name, user, account="", partition="", state=FORGOTTEN)
        return None

    def job_named(self, name: str, user: str) -> Job | None:
        """Find a job by its name **and** owner: anybody may give any name to a job of their own."""
        return self._by_name.get((name, user))

    # Both are made once for each snapshot, whoever asks and how often: many sessions may wait at a time.

    @cached_property
    def _by_name(self) -> dict[tuple[str, str], Job]:
        return {(job.name, job.user): job for jobs in (self.ended, self.jobs) for job in jobs.values()}

    @cached_property
    def places(self) -> dict[int, int]:
        """The places of waiting jobs in the queue (see `berth.slurm.free.queueing`), by job id."""
        return queueing.places(self.jobs.values())

    def accounted(self, job_id: int, user: str) -> Job | None:
        """Return what accounting says of an ended job, even while the queue still lists it."""
        job = self.ended.get(job_id)
        return job if job is not None and job.user == user else None

    def node(self, name: str) -> Node | None:
        """Return the node of that name, None when it is not in the partition."""
        return next((node for node in self.nodes if node.name == name), None)

    def associations_of(self, user: str) -> tuple[Association, ...]:
        """Return what `user` may charge in the partition, the default account first and each account once."""
        partition = self.partition.name if self.partition is not None else None
        own = [
            item
            for item in self.associations
            if item.user == user and (item.partition is None or item.partition == partition)
        ]
        # As in Slurm, what is said for the partition goes before what is said for all.
        ordered = sorted(own, key=lambda item: (not item.is_default, item.account, item.partition is None))
        found: dict[str, Association] = {}
        for item in ordered:
            found.setdefault(item.account, item)
        return tuple(found.values())

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """What nodes have at most, every shape once; a few milliseconds for thousands of nodes."""
        return shapes.distinct(self.nodes, self.partition)

    @property
    def shared_by(self) -> int:
        """How many jobs may share a core: the n of the partition's OverSubscribe=FORCE:n; 1 if not known."""
        return self.partition.oversubscribe if self.partition is not None else 1

    @property
    def complete(self) -> bool:
        """Whether every part that an offer needs was answered at least once."""
        return all(part.asked_at > 0 for part in (self.jobs_part, self.nodes_part, self.accounts_part))


PARTS = ("jobs_part", "ends_part", "nodes_part", "accounts_part")
"""The kinds of questions, by the names of their parts of a snapshot."""


@dataclass(frozen=True)
class Update:
    """What came of one question. A whole snapshot would keep the hub busy on a large cluster."""

    part: str
    """Which of `PARTS`."""
    asked_at: float = 0.0
    """Unix time of the question, as in `Part`."""
    error: str = ""
    """Why there is no answer; empty when there is one."""
    seconds: float = 0.0
    """How long the answer took; 0.0 = nothing was asked."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """The new values of the snapshot's fields."""

    def against(self, known: Snapshot) -> Update:
        """Return the update without what is in `known` already; the first answer stays whole."""
        if not getattr(known, self.part).asked_at:
            return self
        changed = {name: value for name, value in self.fields.items() if value != getattr(known, name)}
        return replace(self, fields=changed)


@dataclass(frozen=True)
class Watch:
    """Jobs the hub must hear about until their end is proven, even when squeue no longer lists them."""

    job_ids: frozenset[int] = frozenset()
    names: frozenset[str] = frozenset()
    """Job names (with their nonce) of submissions whose answer was lost."""
    accounted: frozenset[int] = frozenset()
    """Ended jobs of which accounting's figures are wanted, though squeue may list them still."""
