"""Jobs as accounting remembers them: ``sacct --json``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from berth.slurm.answers import document
from berth.slurm.answers.jobs import ENDED, Job, base_state, exit_status, job_id
from berth.slurm.notation import tres

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEBIBYTE = 1024**2
_FAILED = "FAILED"


def parse_sacct(answer: object) -> list[Job]:
    """Read jobs from the decoded answer of accounting.

    Slurm 22.05 writes there a success for every job that ended with an exit code of its own, and no name
    of a reservation: the exit code of a failed job is then ``None`` (not known), and so is the reservation.

    Raises:
        SlurmValueError: the answer is not a list of jobs.
    """
    return [_job(record) for record in document.records(answer, "jobs")]


def _job(record: document.Record) -> Job:
    times, resources = document.section(record, "time"), document.section(record, "tres")
    states = document.section(record, "state")
    state = base_state(document.words(states, "current"))
    given = list(document.records(resources, "allocated")) or list(document.records(resources, "requested"))
    code, signal = exit_status(record)
    reason = document.text(states, "reason")
    reservation = document.section(record, "reservation").get("name")
    return Job(
        job_id=job_id(record),
        name=document.text(record, "name"),
        user=document.text(record, "user") or document.text(document.section(record, "association"), "user"),
        account=document.text(record, "account"),
        partition=document.text(record, "partition"),
        state=state,
        reason="" if reason == "None" else reason,
        nodes=document.hosts(record, "nodes"),
        cpus=_amount(given, "cpu"),
        memory_mib=-(-_amount(given, "mem") // max(1, _amount(given, "node"))),
        gpus=_gpus(given),
        submit_time=document.moment(times, "submission"),
        start_time=document.moment(times, "start"),
        end_time=document.moment(times, "end"),
        time_limit=document.number(times, "limit"),
        restarts=document.number(record, "restart_cnt") or 0,
        reservation=reservation if isinstance(reservation, str) and reservation else None,
        peak_memory_mib=_peak(record),
        cpu_seconds=_cpu_seconds(record),
        cancelled_by=document.text(record, "kill_request_user"),
        usage_complete=state in ENDED and _all_steps_ended(record),
        exit_code=code if state in ENDED and not (state == _FAILED and code == 0) else None,
        signal=signal if state in ENDED else None,
    )


def _amount(resources: list[document.Record], kind: str) -> int:
    """Return the count of one kind of resource; memory is in MiB."""
    counts = (document.number(entry, "count") for entry in resources if entry.get("type") == kind)
    return sum(count for count in counts if count and count > 0)


def _gpus(resources: list[document.Record]) -> dict[str, int]:
    """Return GPUs by type; accounting lists them as ``gpu`` (the total) and ``gpu:a100``."""
    counts: dict[str, int] = {}
    for entry in resources:
        name, _, kind = document.text(entry, "name").partition(":")
        if entry.get("type") == "gres" and name == "gpu":
            counts[kind] = document.number(entry, "count") or 0
    return tres.split_total(counts)


def _peak(record: document.Record) -> int | None:
    """Return the most memory that a task of the job was seen to use, in MiB rounded up."""
    peak = max(_step_peaks(record), default=0)
    return -(-peak // _MEBIBYTE) or None


def _cpu_seconds(record: document.Record) -> float | None:
    """Return the time of CPUs that all steps used. Slurm 22.05 leaves the job's own sum at 0."""
    steps = document.records(record, "steps")
    used = [document.section(document.section(step, "time"), "total") for step in steps]
    if not used:
        return None
    whole = sum(document.number(time, "seconds") or 0 for time in used)
    return whole + sum(document.number(time, "microseconds") or 0 for time in used) / 1e6


def _all_steps_ended(record: document.Record) -> bool:
    """Tell whether accounting has heard of the end of every step; a job that got no node has none."""
    steps = [document.section(step, "time") for step in document.records(record, "steps")]
    return all(document.moment(time, "end") for time in steps) and bool(
        steps or not document.hosts(record, "nodes")
    )


def _step_peaks(record: document.Record) -> Iterator[int]:
    """Yield the bytes of each step's greediest task (accounting calls it "requested")."""
    for step in document.records(record, "steps"):
        used = document.section(document.section(step, "tres"), "requested")
        yield _amount(list(document.records(used, "max")), "mem")
