"""What happens to a session, in plain words. The states are those of squeue(1), "JOB STATE CODES"."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from berth.hub import reasons
from berth.slurm.jobs import FORGOTTEN

if TYPE_CHECKING:
    from berth.slurm.records import Job

ENDS: Final = {
    "COMPLETED": "The session ended by itself, for example by File > Shut Down.",
    "CANCELLED": "The session was cancelled.",
    "TIMEOUT": "The session reached its time limit.",
    "DEADLINE": "The session reached its deadline.",
    "NODE_FAIL": "The node failed. Files that were saved are safe; start again.",
    "BOOT_FAIL": "The node failed to boot. Start again.",
    "PREEMPTED": "A job with a higher priority took the node.",
    "REVOKED": "Slurm revoked the job.",
    "LAUNCH_FAILED": "The node could not start the job. Start again; if it happens again, tell the support.",
    "RECONFIG_FAIL": "The node could not be prepared. Start again; if it happens again, tell the support.",
    FORGOTTEN: "The session ended. How is not known: accounting is inactive, and Slurm forgets jobs.",
}


def waiting(job: Job | None, asked_at: float) -> str:
    """Say what a start waits for, with Slurm's own reason in brackets for the support."""
    if job is None:
        return "The request is with Slurm; it has not shown it in its queue yet."
    if job.state == "CONFIGURING":
        return f"Job {job.job_id}: the node is being prepared."
    if job.running:
        where = f" on {job.nodes[0]}" if job.nodes else ""
        return f"Job {job.job_id} runs{where}; JupyterLab is starting."
    base = job.reason.partition("(")[0].strip()
    text = f"{reasons.waiting(base)} ({job.reason or 'None'})"
    return f"Job {job.job_id} waits in the queue. {text}{_estimate(job, asked_at)}"


def _estimate(job: Job, now: float) -> str:
    if not job.start_time or job.start_time <= now:
        return ""
    moment = time.strftime("%H:%M on %d %B", time.localtime(job.start_time))
    return f" Slurm expects to start it by {moment}."


def running(job: Job, now: float) -> str:
    """Say what a session has and how long it lives."""
    gpus = sum(job.gpus.values())
    has = f"{job.cpus} core{'s' if job.cpus != 1 else ''}, {job.memory_mib} MiB of memory"
    has += f", {gpus} GPU{'s' if gpus != 1 else ''}" if gpus else ""
    left = max(0, int((job.end_time or now) - now) // 60)
    until = f"; {left // 60} h {left % 60:02} min left" if job.end_time else ""
    where = f" on {job.nodes[0]}" if job.nodes else ""
    return f"Job {job.job_id} runs{where} with {has}{until}."


def ended(job: Job) -> str:
    """Say why a session ended and what helps."""
    if job.state == "OUT_OF_MEMORY":
        used = f" and used {job.peak_memory_mib} MiB at its peak" if job.peak_memory_mib else ""
        return (
            f"The session ran out of memory: it had asked for {job.memory_mib} MiB{used}. "
            "Start again with more memory."
        )
    if job.state == "FAILED":
        return (
            f"The session failed{'' if job.exit_code is None else f' with exit code {job.exit_code}'}. "
            "Its log is in ~/.berth; send the job id to the support if it happens again."
        )
    return ENDS.get(job.state, f"The session ended ({job.state}).")
