"""How a session ended, in plain words. The states are those of squeue(1), "JOB STATE CODES"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from berth.hub.texts import text, words
from berth.hub.texts.text import Text, say
from berth.slurm.answers.jobs import FORGOTTEN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from berth.hub.session.history import PastSession
    from berth.slurm.answers.records import Job

ENDS: Final = {
    "COMPLETED": "session.end_completed",
    "DEADLINE": "session.end_deadline",
    "NODE_FAIL": "session.end_node_fail",
    "BOOT_FAIL": "session.end_boot_fail",
    "PREEMPTED": "session.end_preempted",
    "REVOKED": "session.end_revoked",
    "LAUNCH_FAILED": "session.end_launch_failed",
    "RECONFIG_FAIL": "session.end_reconfig_fail",
    FORGOTTEN: "session.end_forgotten",
}
_EXPECTED: Final = frozenset({"COMPLETED", "TIMEOUT", "DEADLINE", FORGOTTEN})
"""Ends that nobody needs help with."""
MEMORY_MARGIN: Final = 1.25
"""How many times what was not enough may be enough."""


@dataclass(frozen=True)
class Ending:
    """How one session ended."""

    said: Text
    word: str
    """Slurm's state, or the hub's word, for the support; empty where all went as it should."""
    job_id: int | None


def ending(past: PastSession, memory_choices: Sequence[int]) -> Ending:
    """Say how a session ended; `memory_choices` (MiB) are what the form offers."""
    job, record = past.job, past.record
    if failure := text.from_dict(record.failure):
        return Ending(failure, "start-failed", record.job_id)
    if past.on_purpose and (said := text.from_dict(record.ended_by)):
        return Ending(said, "", record.job_id)
    if record.job_id is None:
        return Ending(say("session.end_unanswered"), "", None)
    if job is None or not job.ended:
        return Ending(say("session.end_not_proven", job_id=record.job_id), "", record.job_id)
    if past.as_wished:
        return Ending(_stopped(job), "", job.job_id)
    idle = record.idle_minutes if job.state == "COMPLETED" else 0
    said = say("session.end_idle", count=idle) if idle else ended(job, memory_choices)
    word = "" if job.state in _EXPECTED or job.cancelled_by_user else job.state
    return Ending(said, word, job.job_id)


def _stopped(job: Job) -> Text:
    """Say that a session has ended as somebody wished in the hub."""
    if not job.nodes:
        return say("session.withdrawn", job_id=job.job_id)
    if gpus := sum(job.gpus.values()):
        return say("session.stopped_gpus", count=gpus)
    return say("session.stopped")


def ended(job: Job, memory_choices: Sequence[int] = ()) -> Text:
    """Say why a session ended by itself and what helps."""
    match job.state:
        case "OUT_OF_MEMORY":
            return _out_of_memory(job, memory_choices)
        case "TIMEOUT":
            return _out_of_time(job)
        case "CANCELLED":
            return _cancelled(job)
        case "FAILED":
            return _failed(job)
    return say(ENDS[job.state]) if job.state in ENDS else say("session.end_other", state=job.state)


def _out_of_time(job: Job) -> Text:
    if not job.time_limit:
        return say("session.end_timeout")
    return say("session.end_time_limit", limit=words.elapsed(job.time_limit * 60))


def _failed(job: Job) -> Text:
    if job.signal:
        return say("session.end_signal", signal=job.signal, job_id=job.job_id)
    if job.exit_code is None:
        return say("session.end_failed", job_id=job.job_id)
    return say("session.end_exit_code", code=job.exit_code, job_id=job.job_id)


def _cancelled(job: Job) -> Text:
    if not job.cancelled_by:
        return say("session.end_cancelled")
    if job.cancelled_by == job.user:
        return say("session.end_cancelled_by_user")
    return say("session.end_cancelled_by_operator", operator=job.cancelled_by)


def _out_of_memory(job: Job, choices: Sequence[int]) -> Text:
    asked, peak = job.memory_mib, job.peak_memory_mib or 0
    enough = [size for size in sorted(choices) if size >= max(asked, peak) * MEMORY_MARGIN]
    larger = enough or [size for size in sorted(choices, reverse=True) if size > asked]
    advice = say("session.ask_for", memory=words.size(larger[0])) if larger else say("session.ask_for_more")
    if not peak:
        return say("session.end_out_of_memory", asked=words.size(asked), advice=advice)
    return say(
        "session.end_out_of_memory_peak", asked=words.size(asked), peak=words.size(peak), advice=advice
    )
