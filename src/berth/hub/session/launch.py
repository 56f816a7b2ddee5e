"""From the click to a serving session: submit, settle what is unknown, wait for the report."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NoReturn

from jupyterhub.objects import Server
from jupyterhub.spawner import SpawnException

from berth.helper.client import Verdict
from berth.hub.session import explain, reasons, story
from berth.hub.session.state import QUEUED, READY, SUBMITTING, SessionRecord
from berth.hub.texts import words
from berth.hub.texts.text import ENGLISH, Text, say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from berth.helper.client import CancelResult
    from berth.hub.form.options import SessionOptions
    from berth.hub.service import Service
    from berth.slurm.answers.records import Job

SETTLE_SECONDS: Final = 30.0
"""A submission without an answer is given up when listings asked this much later do not have it."""
CHECK_SECONDS: Final = 5.0
"""Longest wait for a snapshot before limits are looked at again."""

_ERRORS: Final = {
    "home-full": "session.home_full",
    "home-unreachable": "session.home_unreachable",
    "not-permitted": "session.not_permitted",
    "slurm-away": "session.slurm_away",
}
"""The helper's own words for why nothing was started, as sentences; the others are for operators."""


class StartFailed(SpawnException):
    """A start failed; `said` tells its user why, in the language of whatever page shows it."""

    queued = True
    """Whether Slurm has, or had, a job of it."""

    def __init__(self, said: Text, *, reason: str, job_id: int | None = None) -> None:
        """Keep the sentence; the journal gets it in English."""
        super().__init__(said.in_language(ENGLISH), reason=reason)
        self.said = said
        self.job_id = job_id

    @property
    def jupyterhub_message(self) -> str:
        """The text that JupyterHub shows to the user."""
        return str(self.said)


class NeverQueued(StartFailed):
    """The start failed and Slurm has no job of it.

    That is certain unless `lost`: then nobody answered and no listing shows it; the janitor keeps looking.
    """

    queued = False
    lost = False


@dataclass
class Launch:
    """One start, from its record on; a restarted hub makes it anew from the stored record."""

    service: Service
    user: str
    record: SessionRecord
    save: Callable[[], None]
    """Commits the record to the database."""
    server: str = ""
    _seen: tuple[object, ...] = field(default=(), init=False)
    """What was last told of the job."""

    def tell(self, name: str, **fields: object) -> None:
        """Log an event of this session."""
        story.tell(name, (self.user, self.server), self.record, **fields)

    def job(self) -> Job | None:
        """Return what is known of the job, None when nothing is."""
        snapshot = self.service.collector.snapshot
        return snapshot.job(self.record.job_id, self.record.job_name, self.user)

    async def submit(self, chosen: SessionOptions, environment: Mapping[str, str]) -> None:
        """Submit through the helper. Raises NeverQueued on a clear no; an unknown answer is settled later."""
        result = await self.service.helper.submit(
            self.user,
            job_name=self.record.job_name,
            layer=chosen.release.layer,
            resources=chosen.resources,
            environment=environment,
        )
        if result.job_id is not None:
            self._queued(result.job_id)
            return
        if result.verdict is Verdict.UNKNOWN:
            self.tell("submission-unanswered", msg=f"The submission has no answer: {result.message}")
            return
        reason = result.error or str(result.verdict)
        if result.verdict is Verdict.REFUSED:
            raise NeverQueued(say("session.refused", why=reasons.refusal(result.message)), reason=reason)
        self.tell("helper-failed", reason=reason, msg=result.message)
        raise NeverQueued(say(_ERRORS.get(reason, "session.not_started")), reason=reason)

    def _queued(self, job_id: int) -> None:
        record, now = self.record, time.time()
        record.job_id, record.submitted_at = job_id, now
        if record.phase == SUBMITTING:
            record.phase = QUEUED
        self.tell("submitted", seconds=now - record.requested_at)
        self.service.update_watch()
        self.save()
        self.service.collector.wake()

    async def finish(self, base_url: str, http_timeout: float) -> tuple[str, int]:
        """Wait until the session serves; return its address and port. Raises StartFailed.

        Below `base_url` it has to answer within `http_timeout` seconds after it reported.
        """
        if self.record.job_id is None:
            await self._settle()
        node, port = await self._until_reported()
        address = self._address(node)
        server = Server(ip=address, port=port, base_url=base_url)
        try:
            # As `User._wait_up` asks once more, which only says "time-out" and leaves no trace of it.
            await server.wait_up(timeout=http_timeout, http=True, extra_path="api")
        except TimeoutError:
            self._give_up_unreachable(node, port)
        self.record.phase = READY
        self.save()
        story.ready((self.user, self.server), self.record, self.job(), time.time())
        return address, port

    def reported(self, port: int) -> None:
        """Take the session's report; repeating it changes nothing."""
        if self.record.port != port:
            self.record.port, self.record.reported_at = port, time.time()
            self.save()
            self.tell("reported", port=port)

    async def cancel(self) -> CancelResult:
        """Have the job cancelled; it must be known. The answer proves no end."""
        answer = await self.service.helper.cancel(self.user, self.record.job_id or 0)
        self.tell("cancelled", verdict=str(answer.verdict), msg=answer.message or None)
        return answer

    async def _settle(self) -> None:
        """Find out whether a submission without an answer reached Slurm: by its name and its owner."""
        collector = self.service.collector
        self.record.unanswered = True
        # The helper outlives a hub that is killed: its sbatch may still be under way.
        answered_by = self.record.requested_at + self.service.hub.helper_timeout_seconds
        unanswered_at = max(time.time(), answered_by)
        while True:
            if job := collector.snapshot.job_named(self.record.job_name, self.user):
                self._queued(job.job_id)
                return
            absent_at = collector.snapshot.absent.get(self.record.job_name, 0.0)
            if absent_at > unanswered_at + SETTLE_SECONDS:
                error = NeverQueued(say("session.lost"), reason="lost")
                error.lost = True
                raise error
            collector.wake()
            await collector.changed(CHECK_SECONDS)

    def requeued(self, job: Job) -> bool:
        """Whether Slurm runs the job again, so that what was reported is no longer true."""
        return job.restarts > self.record.restarts or (self.record.phase == READY and job.pending)

    def begin_again(self, job: Job) -> None:
        """Forget what the session reported before its job was requeued."""
        record = self.record
        record.phase, record.port, record.reported_at, record.restarts = QUEUED, None, None, job.restarts
        self.save()
        self.tell("requeued", restarts=job.restarts)

    async def _until_reported(self) -> tuple[str, int]:
        """Return node and port of the session."""
        limits, record = self.service.hub.session, self.record
        running_since: float | None = None
        while True:
            job = self.job()
            _refuse_ended(job)
            self._look(job)
            if job is not None and self.requeued(job):
                self.begin_again(job)
                running_since = None
            if job is not None and job.running:
                if record.port is not None and job.nodes:
                    return job.nodes[0], record.port
                running_since = running_since or time.monotonic()
                if time.monotonic() - running_since > limits.boot_timeout_seconds:
                    seconds = limits.boot_timeout_seconds
                    self._give_up(
                        say("session.boot_timeout", job_id=job.job_id, seconds=seconds), "boot-timeout"
                    )
            elif time.time() - record.requested_at > limits.queue_timeout_seconds:
                limit = words.elapsed(limits.queue_timeout_seconds)
                self._give_up(say("session.queue_timeout", limit=limit), "queue-timeout")
            await self.service.collector.changed(CHECK_SECONDS)

    def _look(self, job: Job | None) -> None:
        """Tell the journal when a job is seen in another state, or waits for another reason."""
        seen = (job.state, job.reason if job.pending else "", job.nodes) if job is not None else ()
        if job is not None and seen != self._seen:
            story.looked((self.user, self.server), self.record, job)
        self._seen = seen

    def _give_up_unreachable(self, node: str, port: int) -> NoReturn:
        _refuse_ended(self.job())
        first, last = self.service.hub.session.port_range
        said = say(
            "session.unreachable", job_id=self.record.job_id, node=node, port=port, first=first, last=last
        )
        self._give_up(said, "unreachable")

    def _give_up(self, said: Text, reason: str) -> NoReturn:
        """End the start; the record keeps why, as the job's own end will not tell."""
        self.record.failure = said.to_dict()
        raise StartFailed(said, reason=reason, job_id=self.record.job_id)

    def _address(self, node_name: str) -> str:
        """Return the address that Slurm has for the node: never what a session says of itself."""
        node = self.service.collector.snapshot.node(node_name)
        return node.address if node is not None and node.address else node_name


def _refuse_ended(job: Job | None) -> None:
    """Raise StartFailed for a job that has ended."""
    if job is not None and job.ended:
        said = say("session.ended_before_ready", job_id=job.job_id, why=explain.ended(job))
        raise StartFailed(said, reason=job.state, job_id=job.job_id)
