"""What becomes of each session, told to the journal and counted for Prometheus.

Every line carries the session's nonce, which is made at the click on Start and stands in the job's name, in
the helper's line and in the session's own log: one word finds them all.
"""

from __future__ import annotations

import logging
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from berth import journal
from berth.hub.metrics import figures
from berth.hub.texts.text import ENGLISH, from_dict

if TYPE_CHECKING:
    from berth.hub.form.options import SessionOptions
    from berth.hub.session.history import Owner, PastSession
    from berth.hub.session.launch import StartFailed
    from berth.hub.session.state import SessionRecord
    from berth.slurm.answers.records import Job

log = logging.getLogger("berth.session")


def tell(name: str, owner: Owner, record: SessionRecord, **fields: Any) -> None:  # noqa: ANN401 - see journal
    """Log one event of a session."""
    journal.event(log, name, **_about(owner, record), **fields)


def _about(owner: Owner, record: SessionRecord) -> dict[str, Any]:
    user, server = owner
    return {"session": record.nonce, "user": user, "server": server, "job_id": record.job_id}


def accepted(owner: Owner, record: SessionRecord, chosen: SessionOptions) -> None:
    """Say what a session asks for: from here on it has a nonce."""
    asked = {**vars(chosen), "release": chosen.release.name}
    tell("request-accepted", owner, record, **asked)


def stop_asked(owner: Owner, record: SessionRecord | None, by: str) -> None:
    """Say who asked in the hub for the end of a session; None: it has let go of it already."""
    about = {"user": owner[0], "server": owner[1]} if record is None else _about(owner, record)
    journal.event(log, "stop-asked", **about, by=by)


def looked(owner: Owner, record: SessionRecord, job: Job) -> None:
    """Say that Slurm has something else to say of a job than before."""
    if job.pending:
        tell("waiting", owner, record, state=job.state, reason=job.reason or None)
    elif job.running:
        tell("running", owner, record, state=job.state, node=",".join(job.nodes) or None)


def ready(owner: Owner, record: SessionRecord, job: Job | None, now: float) -> None:
    """Say that the session can be opened, and how long each phase of its start took."""
    seconds = phases(record, job, now)
    figures.observe_start(seconds)
    spent = {f"{phase}_seconds": value for phase, value in seconds.items()}
    tell("ready", owner, record, port=record.port, seconds=now - record.requested_at, **spent)


def phases(record: SessionRecord, job: Job | None, now: float) -> dict[str, float]:
    """Return the seconds of each of `figures.PHASES`; empty where a moment is not known.

    Of a job that was requeued none is: its first run would count as waiting.
    """
    submitted, reported = record.submitted_at, record.reported_at
    if job is None or job.start_time is None or submitted is None or reported is None or record.restarts:
        return {}
    running = min(max(float(job.start_time), submitted), reported)  # Slurm's clock has whole seconds only
    moments = (record.requested_at, submitted, running, reported, now)
    lasted = (max(0.0, later - sooner) for sooner, later in pairwise(moments))
    return dict(zip(figures.PHASES, lasted, strict=True))


def failed(owner: Owner, record: SessionRecord, error: StartFailed) -> None:
    """Say that a start failed, and count one that did not get into the queue."""
    if not error.queued:
        figures.NOT_SUBMITTED.labels(error.reason).inc()
    said = error.said.in_language(ENGLISH)
    fields = {**_about(owner, record), "reason": error.reason, "msg": said}
    log.warning(journal.Event("start-failed" if error.queued else "submission-failed", fields))


def ended(owner: Owner, past: PastSession) -> None:
    """Say how a session ended, once Slurm has proved it, and count it."""
    why, job = cause(past), past.job
    figures.ENDED.labels(why).inc()
    facts: dict[str, Any] = {}
    if job is not None:
        facts = {"state": job.state, "exit_code": job.exit_code, "signal": job.signal}
        facts["node"] = ",".join(job.nodes) or None
    tell("ended", owner, past.record, cause=why, **facts)


def cause(past: PastSession) -> str:
    """Return what ended a session, in one word: the hub's (`stopped`, `boot_timeout`) or Slurm's state."""
    job = past.job
    if (failure := from_dict(past.record.failure)) is not None:
        return failure.key.partition(".")[2]
    if past.as_wished:
        return "stopped" if job is not None and job.nodes else "withdrawn"
    return job.state.lower() if job is not None else "unknown"
