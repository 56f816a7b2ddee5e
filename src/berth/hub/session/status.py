"""Where a session stands: one object for the waiting page, JupyterHub's progress stream and the home page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from berth.hub.form import availability
from berth.hub.session import reasons
from berth.hub.session.state import READY, STOPPING
from berth.hub.texts import words
from berth.hub.texts.text import Text, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from berth.hub.collector.snapshot import Snapshot
    from berth.hub.session.state import SessionRecord
    from berth.releases.catalogue import Release
    from berth.slurm.answers.records import Job

PLACES: Final = {1: "session.place_1", 2: "session.place_2", 3: "session.place_3"}
"""Places in the queue that have a word; the others have a number."""
STATES: Final = {
    "CONFIGURING": "session.configuring",
    "COMPLETING": "session.completing",
    "STAGE_OUT": "session.completing",
    "STOPPED": "session.suspended",
    "SUSPENDED": "session.suspended",
}
"""States between waiting and running that have a sentence of their own."""
QUEUED_REFRESH_SECONDS: Final = 10
"""How often a page without scripts asks again while nothing can change quickly."""
REFRESH_SECONDS: Final = 3


@dataclass(frozen=True)
class Fact:
    """One line of what is known."""

    label: Text
    value: Text | str


@dataclass(frozen=True)
class Status:
    """Where a session stands at one moment."""

    headline: Text
    """One sentence."""
    progress: int
    """Percent of the way to a session that serves."""
    facts: tuple[Fact, ...] = ()
    warning: Text | None = None
    """Why all this may be old."""
    waited_seconds: int = 0
    """Since the start was asked for."""
    refresh_seconds: int = REFRESH_SECONDS

    @property
    def waited(self) -> str:
        """The time since the start was asked for, as a clock."""
        return words.clock(self.waited_seconds)

    @property
    def said(self) -> tuple[Text, tuple[Fact, ...], Text | None]:
        """All but the time that passes."""
        return (self.headline, self.facts, self.warning)

    @property
    def message(self) -> str:
        """All of it in one line, in the language of the request."""
        lines = [str(self.headline), *(f"{fact.label}: {fact.value}" for fact in self.facts)]
        return " ".join([*lines, *([str(self.warning)] if self.warning else [])])

    def event(self, help_url: str = "") -> dict[str, Any]:
        """Return an event of JupyterHub's progress stream; `status` is ours, for our page.

        `help_url` is where to get help with the session as it is now; empty where the site has no such link.
        """
        return {
            "progress": self.progress,
            "message": self.message,
            "status": {
                "headline": str(self.headline),
                "facts": [[str(fact.label), str(fact.value)] for fact in self.facts],
                "warning": str(self.warning or ""),
                "waited_seconds": self.waited_seconds,
                "help": help_url,
            },
        }


def of(
    record: SessionRecord | None,
    job: Job | None,
    snapshot: Snapshot,
    now: float,
    software: Sequence[Fact] = (),
) -> Status:
    """Tell where a session stands that is starting, runs or stops; None: it was only just asked for."""
    headline, progress = _headline(record, job)
    queued = job is not None and job.pending
    return Status(
        headline=headline,
        progress=progress,
        facts=(*(_facts(job, snapshot, now) if job is not None else ()), *software),
        warning=_warning(snapshot, now),
        waited_seconds=max(0, int(now - record.requested_at)) if record is not None else 0,
        refresh_seconds=QUEUED_REFRESH_SECONDS if queued else REFRESH_SECONDS,
    )


def _headline(record: SessionRecord | None, job: Job | None) -> tuple[Text, int]:
    """Return a sentence, and how far the start is in percent."""
    if record is not None and record.phase == STOPPING:
        return say("session.stopping"), 100
    if job is None:
        return _unseen(record)
    key, progress = _stage(job)
    return say(key, job_id=job.job_id, node=job.nodes[0] if job.nodes else ""), progress


def _stage(job: Job) -> tuple[str, int]:
    """Return the key of the sentence for a job that Slurm lists, and how far its start is in percent."""
    if job.pending:
        return ("session.requeued" if job.restarts else "session.queued"), 40
    if job.ended:
        return "session.completing", 100
    if job.state in STATES:
        return STATES[job.state], 60
    return ("session.booting_on" if job.nodes else "session.booting"), 70


def _unseen(record: SessionRecord | None) -> tuple[Text, int]:
    """Say what is known of a request that no listing of Slurm's has shown yet."""
    if record is not None and record.phase == READY:
        return say("session.running"), 100
    if record is None or (record.job_id is None and not record.unanswered):
        return say("session.submitting"), 10
    if record.job_id is None:
        return say("session.unanswered"), 10
    return say("session.submitted", job_id=record.job_id), 20


def _facts(job: Job, snapshot: Snapshot, now: float) -> list[Fact]:
    if not job.pending:
        return [Fact(say("session.node"), job.nodes[0])] if job.nodes else []
    word = job.reason.partition("(")[0].strip()
    why = say("session.reason_and_word", sentence=reasons.waiting(word), word=job.reason or "None")
    found = [Fact(say("session.reason"), why)]
    if place := snapshot.places.get(job.job_id):
        said = say(PLACES[place]) if place in PLACES else say("session.place_n", place=place)
        found.append(Fact(say("session.place"), said))
    if job.start_time and job.start_time > now:
        moment = words.moment(job.start_time, now)
        later = words.elapsed(job.start_time - now)
        found.append(Fact(say("session.expected"), say("session.expected_at", moment=moment, later=later)))
    return found


def _warning(snapshot: Snapshot, now: float) -> Text | None:
    part = snapshot.jobs_part
    if not part.error:
        return None
    if not part.asked_at:
        return say("session.slurm_never_answered")
    return say("session.slurm_silent", age=availability.age(max(1, int(now - part.asked_at))))


def stopping() -> Status:
    """Say that the session is being stopped, whatever is left of it."""
    return Status(say("session.stopping"), 100)


def software(name: str, release: Release | None, now: float) -> Fact:
    """Say which release a session runs with, and until when others can (None: nothing is known of it)."""
    label = say("form.label_release")
    if release is None or release.ends is None:
        return Fact(label, name)
    key = "session.release_ended" if words.day(now) > release.ends else "session.release_until"
    return Fact(label, say(key, name=name, date=release.ends.isoformat()))


def running(job: Job, now: float, software: Sequence[Fact] = ()) -> Status:
    """Say what a session that serves has, and how long it lives."""
    gpus = sum(job.gpus.values())
    found = [
        Fact(say("session.job"), str(job.job_id)),
        *([Fact(say("session.node"), job.nodes[0])] if job.nodes else []),
        Fact(say("session.cores"), str(job.cpus)),
        Fact(say("session.memory"), words.size(job.memory_mib)),
        *([Fact(say("session.gpus"), str(gpus))] if gpus else []),
        *([Fact(say("session.time_left"), words.elapsed(job.end_time - now))] if job.end_time else []),
        *software,
    ]
    return Status(say("session.running"), 100, tuple(found))
