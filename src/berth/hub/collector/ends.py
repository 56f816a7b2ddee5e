"""How watched jobs ended that the queue no longer lists: absence alone proves nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from berth.slurm.answers import client, records

if TYPE_CHECKING:
    from collections.abc import Mapping

    from berth.hub.collector.snapshot import Watch
    from berth.slurm.answers.records import Controller, Job

KEPT_SECONDS = 3600.0
"""Seconds that the answer of accounting about an ended job is kept."""
DOUBTS_AT_A_TIME = 20
"""Jobs that the controller is asked for in one round where there is no accounting; each is a question."""
_NO_SUCH_JOB = "Invalid job id specified"


@dataclass
class Ends:
    """What accounting says of jobs that left the queue, or the controller where there is no accounting."""

    timeout: float
    jobs: dict[int, Job] = field(default_factory=dict)
    """Ended jobs by job id."""
    forgotten: frozenset[int] = frozenset()
    """Jobs that the controller does not have any more, where nobody else could remember them."""

    def __post_init__(self) -> None:
        """Nothing was asked yet."""
        self._kept_at: dict[int, float] = {}
        self._asked_at: dict[int, tuple[float, float]] = {}
        self._doubted: set[int] = set()

    async def ask(
        self, commands: client.Commands, controller: Controller, watch: Watch, queue: Mapping[int, Job]
    ) -> frozenset[str]:
        """Look for the watched jobs that `queue` does not hold. Raises SlurmError.

        Returns the watched names of which neither the queue nor, where there is any, accounting has a job.
        """
        self._drop_old(watch)
        missing = [
            n for n in watch.job_ids if n not in queue and n not in self.jobs and n not in self.forgotten
        ]
        absent = watch.names - {job.name for job in (*queue.values(), *self.jobs.values())}
        if controller.accounting:
            numbers = [*missing, *self._unaccounted(watch)]
            absent -= await self._ask_accounting(commands, numbers, sorted(absent))
        elif not controller.private_jobs:  # otherwise it denies the jobs of others
            await self._ask_controller(commands, missing)
        return absent

    def _unaccounted(self, watch: Watch) -> list[int]:
        """Return the ended jobs to ask for now. Figures may be late: each pause doubles the wait."""
        now = time.monotonic()
        self._asked_at = {number: self._asked_at.get(number, (now, now)) for number in watch.accounted}
        due = []
        for number, (first, last) in self._asked_at.items():
            known = self.jobs.get(number)
            if not (known and known.usage_complete) and now - last >= last - first:
                self._asked_at[number] = (first, now)
                due.append(number)
        return due

    def _drop_old(self, watch: Watch) -> None:
        now = time.monotonic()
        old = {
            number
            for number, kept_at in self._kept_at.items()
            if now - kept_at > KEPT_SECONDS and number not in watch.job_ids
        }
        if old:
            self.jobs = {number: job for number, job in self.jobs.items() if number not in old}
            self._kept_at = {number: at for number, at in self._kept_at.items() if number not in old}
        self.forgotten &= watch.job_ids
        self._doubted &= watch.job_ids

    async def _ask_accounting(
        self, commands: client.Commands, numbers: list[int], names: list[str]
    ) -> set[str]:
        """Keep the jobs that have ended; return the names of all, as one may be younger than the queue."""
        found = set()
        for argv in commands.accounting(numbers, names):
            for job in records.parse_sacct(client.decode(await client.run(argv, self.timeout))):
                found.add(job.name)
                if job.ended:
                    self.jobs = {**self.jobs, job.job_id: job}
                    self._kept_at[job.job_id] = time.monotonic()
        return found

    async def _ask_controller(self, commands: client.Commands, numbers: list[int]) -> None:
        """Believe the controller that it has no such job when it says so in two rounds.

        A job that it does have has not ended, or is listed by the next look at the queue.
        """
        self._doubted &= set(numbers)
        for number in sorted(numbers)[:DOUBTS_AT_A_TIME]:
            try:
                await client.run(commands.known_job(number), self.timeout)
            except client.SlurmRefused as refusal:
                if _NO_SUCH_JOB not in str(refusal):
                    raise
            else:
                self._doubted.discard(number)
                continue
            if number in self._doubted:
                self.forgotten |= {number}
            self._doubted.add(number)
