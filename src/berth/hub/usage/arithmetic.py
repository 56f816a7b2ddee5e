"""What sessions used in a period, added up. Every figure that Berth shows of usage is defined here.

A session is a job of the service that got a node; one that never started is none. Names with capitals are
those of Slurm's accounting (https://slurm.schedmd.com/sacct.html, "Job Accounting Fields").

sessions
    Sessions that started in the period, so that the sums of two periods are those of both together.
hours
    Time between Start and End of the sessions, as far as it lies in the period; of one that runs, until now.
core hours
    The same, times the CPUs of AllocTRES (AllocCPUS). Each of the sessions that share a core has it in full.
GPU hours
    The same, times the GPUs of AllocTRES (gres/gpu).
CPU efficiency
    TotalCPU of all steps / (time between Start and End x AllocCPUS). 1: all cores were busy all the time.
memory efficiency
    MaxRSS of the greediest step / memory asked for. Of many sessions it is weighted by memory and time.

Both efficiencies are of sessions that have ended and whose steps are all accounted for: accounting has no
figures of a step that runs. Of a session that lies in two periods, each has the share of its time.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from berth.slurm.answers.records import Job

HOUR: Final = 3600.0
KEYS: Final = ("user", "account", "month")
"""What may be told apart."""

Group = tuple[str, ...]
"""The values of the chosen keys, such as `("alice", "2026-11")`."""


@dataclass(frozen=True)
class Totals:
    """Sums over sessions. Seconds throughout, so that they can be added up further."""

    sessions: int = 0
    seconds: float = 0.0
    core_seconds: float = 0.0
    gpu_seconds: float = 0.0
    busy_seconds: float = 0.0
    """TotalCPU of the sessions that are measured."""
    measured_core_seconds: float = 0.0
    peak_mib_seconds: float = 0.0
    """MaxRSS of the sessions that are measured, for as long as they ran."""
    measured_mib_seconds: float = 0.0
    """What they had asked for, for as long."""

    def __add__(self, other: Self) -> Self:
        """Return the sums of both."""
        return type(self)(*(getattr(self, item.name) + getattr(other, item.name) for item in fields(self)))

    @property
    def hours(self) -> float:
        """Hours of sessions."""
        return self.seconds / HOUR

    @property
    def core_hours(self) -> float:
        """Hours of allocated CPUs."""
        return self.core_seconds / HOUR

    @property
    def gpu_hours(self) -> float:
        """Hours of allocated GPUs."""
        return self.gpu_seconds / HOUR

    @property
    def cpu_efficiency(self) -> float | None:
        """Between 0 and (about) 1; None where nothing is measured yet."""
        return self.busy_seconds / self.measured_core_seconds if self.measured_core_seconds else None

    @property
    def memory_efficiency(self) -> float | None:
        """Between 0 and (about) 1; None where nothing is measured yet."""
        return self.peak_mib_seconds / self.measured_mib_seconds if self.measured_mib_seconds else None


@dataclass(frozen=True)
class Period:
    """From a Unix time until another one, which is no longer part of it."""

    since: float
    until: float

    def months(self) -> Iterator[tuple[str, Period]]:
        """Yield the calendar months of the host's time zone that it has a part of, as `2026-11`."""
        day = _date(self.since).replace(day=1)
        while (start := midnight(day)) < self.until:
            following = month_after(day)
            yield f"{day:%Y-%m}", Period(max(self.since, start), min(self.until, midnight(following)))
            day = following

    def weeks(self) -> Iterator[Period]:
        """Yield it in pieces of at most seven days, so that no answer about one is large."""
        start = self.since
        while start < self.until:
            end = min(self.until, start + 7 * 24 * HOUR)
            yield Period(start, end)
            start = end


def tally(jobs: Iterable[Job], period: Period, by: Iterable[str], now: float) -> dict[Group, Totals]:
    """Add up what jobs used in a period, apart by the given `KEYS`, in the order of their values."""
    keys, months = tuple(by), tuple(period.months())
    found: dict[Group, Totals] = {}
    for job in jobs:
        for month, part in months if "month" in keys else (("", period),):
            used = _used(job, part, now)
            if used != Totals():
                values = {"user": job.user, "account": job.account, "month": month}
                group = tuple(values[key] for key in keys)
                found[group] = found.get(group, Totals()) + used
    return dict(sorted(found.items()))


def figures(totals: Totals) -> dict[str, Any]:
    """Return the figures by their public names: hours, and shares of 1; four digits, None where not known."""
    shown = {
        name: _rounded(getattr(totals, name))
        for name in ("hours", "gpu_hours", "core_hours", "cpu_efficiency", "memory_efficiency")
    }
    return {"sessions": totals.sessions, **shown}


def midnight(day: dt.date) -> float:
    """Return the Unix time at which a day begins in the host's time zone."""
    return dt.datetime(day.year, day.month, day.day).astimezone().timestamp()


def month_after(day: dt.date, months: int = 1) -> dt.date:
    """Return the first day of the month that is so many months later (or, below 0, earlier)."""
    years, month = divmod(day.month - 1 + months, 12)
    return dt.date(day.year + years, month + 1, 1)


def _used(job: Job, part: Period, now: float) -> Totals:
    if job.start_time is None or not job.nodes:
        return Totals()
    end = job.end_time if job.ended and job.end_time is not None else max(now, job.start_time)
    whole = end - job.start_time
    seconds = max(0.0, min(end, part.until) - max(job.start_time, part.since))
    measured = seconds if job.usage_complete else 0.0
    busy = job.cpu_seconds is not None and measured > 0
    return Totals(
        sessions=int(part.since <= job.start_time < part.until),
        seconds=seconds,
        core_seconds=seconds * job.cpus,
        gpu_seconds=seconds * sum(job.gpus.values()),
        busy_seconds=(job.cpu_seconds or 0.0) * seconds / whole if busy else 0.0,
        measured_core_seconds=seconds * job.cpus if busy else 0.0,
        peak_mib_seconds=measured * (job.peak_memory_mib or 0),
        measured_mib_seconds=measured * job.memory_mib if job.peak_memory_mib else 0.0,
    )


def _date(when: float) -> dt.date:
    return dt.datetime.fromtimestamp(when, dt.UTC).astimezone().date()


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
