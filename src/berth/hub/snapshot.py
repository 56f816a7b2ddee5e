"""What the hub knows of Slurm at one moment: plain data, handed over by the collector's child process."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from berth.slurm import queueing, shapes
from berth.slurm.jobs import FORGOTTEN, Job
from berth.slurm.openings import Openings

if TYPE_CHECKING:
    from berth.slurm.records import Association, Controller, Node, Partition, Qos, Reservation
    from berth.slurm.shapes import Shape


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

    A part whose query failed keeps its last answer; `jobs_part` and the others tell how old it is.
    """

    partition: Partition | None = None
    nodes: tuple[Node, ...] = ()
    jobs: dict[int, Job] = field(default_factory=dict)
    """Jobs of the partition that squeue lists, recently ended ones included, by job id."""
    ended: dict[int, Job] = field(default_factory=dict)
    """Answers from accounting about watched jobs that have ended, by job id."""
    forgotten: frozenset[int] = frozenset()
    """Watched jobs that Slurm does not know any more, where no accounting could remember them."""
    reservations: tuple[Reservation, ...] = ()
    controller: Controller | None = None
    """Whether there is accounting; None until the controller was asked."""
    associations: tuple[Association, ...] = ()
    qos: dict[str, Qos] = field(default_factory=dict)
    """Every QOS by name; none where there is no accounting."""
    openings: Openings = field(default_factory=Openings)
    """What is free, and for whom; counted by the child, as it takes a while on large clusters."""
    jobs_part: Part = Part()
    ends_part: Part = Part()
    """The answers about watched jobs that the queue did not list then."""
    nodes_part: Part = Part()
    accounts_part: Part = Part()

    def over(self, older: Snapshot) -> Snapshot:
        """Return this snapshot, with the parts that were never answered taken from an older one."""
        known = self
        if not self.jobs_part.asked_at:
            part = replace(older.jobs_part, error=self.jobs_part.error or older.jobs_part.error)
            known = replace(known, jobs=older.jobs, jobs_part=part)
        if not self.ends_part.asked_at:
            part = replace(older.ends_part, error=self.ends_part.error or older.ends_part.error)
            known = replace(known, ended=older.ended, forgotten=older.forgotten, ends_part=part)
        if not self.nodes_part.asked_at:
            part = replace(older.nodes_part, error=self.nodes_part.error or older.nodes_part.error)
            known = replace(
                known,
                nodes=older.nodes,
                partition=older.partition,
                reservations=older.reservations,
                openings=older.openings,
                nodes_part=part,
            )
        if not self.accounts_part.asked_at:
            part = replace(older.accounts_part, error=self.accounts_part.error or older.accounts_part.error)
            known = replace(
                known,
                controller=self.controller or older.controller,
                associations=older.associations,
                qos=older.qos,
                accounts_part=part,
            )
        return known

    @property
    def searched_at(self) -> float:
        """Unix time since which a job would be known, if there were one; 0.0 where an answer is missing."""
        if self.jobs_part.error or self.ends_part.error:
            return 0.0
        return min(self.jobs_part.asked_at, self.ends_part.asked_at)

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
        """The places of waiting jobs in the queue (see `berth.slurm.queueing`), by job id."""
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
        """Whether every part was answered at least once."""
        return all(part.asked_at > 0 for part in (self.jobs_part, self.nodes_part, self.accounts_part))


@dataclass(frozen=True)
class Watch:
    """Jobs the hub must hear about until their end is proven, even when squeue no longer lists them."""

    job_ids: frozenset[int] = frozenset()
    names: frozenset[str] = frozenset()
    """Job names (with their nonce) of submissions whose answer was lost."""
    accounted: frozenset[int] = frozenset()
    """Ended jobs of which accounting's figures are wanted, though squeue may list them still."""
