"""The order of a partition's queue, as far as Slurm tells it: by priority, then by time of submission."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from berth.slurm.answers.jobs import Job

NOT_COMPETING: Final = frozenset(
    {"Dependency", "DependencyNeverSatisfied", "BeginTime", "JobHeldUser", "JobHeldAdmin"}
    | {"Reservation", "ReservationDeleted"},
)
"""Reasons of jobs that wait for something else than their turn: they are ahead of nobody."""


def places(jobs: Iterable[Job]) -> dict[int, int]:
    """Return the place of every job that waits for its turn, by job id; 1 is the next in turn.

    Each task of an array takes a place of its own, where Slurm spells them out. The scheduler may start a
    job before its turn where that delays nobody (backfill), so a place is no promise.
    """
    waiting = [job for job in jobs if job.pending and job.priority != 0 and job.reason not in NOT_COMPETING]
    waiting.sort(key=lambda job: (-(job.priority or 0), job.submit_time or 0, job.job_id))
    found, ahead = {}, 0
    for job in waiting:
        found[job.job_id] = ahead + 1
        ahead += job.tasks
    return found
