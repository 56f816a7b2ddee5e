"""The spawner's words: where its session stands, and how the last one ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from berth.hub.form.formspawner import FormSpawner
from berth.hub.session import explain, extension, status
from berth.hub.session.launch import CHECK_SECONDS
from berth.hub.texts.text import say
from berth.slurm.notation import units

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from berth.hub.session.explain import Ending
    from berth.hub.session.history import Owner, PastSession
    from berth.hub.session.state import SessionRecord
    from berth.hub.session.status import Fact, Status
    from berth.hub.texts.text import Text
    from berth.slurm.answers.records import Job


class TellingSpawner(FormSpawner):
    """The part of the spawner that pages and the API read; `BerthSpawner` does what it tells of."""

    record: SessionRecord | None = None
    """The session that is starting, runs or stops."""

    def _job(self) -> Job | None:
        """Return what is known of the session's job."""
        raise NotImplementedError

    @property
    def owner(self) -> Owner:
        """Whose sessions these are, in the history."""
        return (self.user.name, self.name)

    @property
    def status(self) -> Status | None:
        """Where the session stands; None when there is none."""
        job, now = self._job(), time.time()
        if self.pending == "stop":
            return status.stopping()
        if self.ready and job is not None and job.state == "RUNNING":
            return status.running(job, now, self._software(now))
        if not self.active and self.record is None:
            return None
        return status.of(self.record, job, self.service.collector.snapshot, now, self._software(now))

    def _software(self, now: float) -> list[Fact]:
        """Return what the session runs with; empty for one of a version that did not keep it."""
        name = self.record.asked.get("release") if self.record is not None else None
        return [status.software(name, self.service.release(name), now)] if name else []

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Say where the start stands, each time that something changes but the time itself."""
        told = None
        while True:
            now, snapshot = time.time(), self.service.collector.snapshot
            found = status.of(self.record, self._job(), snapshot, now, self._software(now))
            help_url = self.service.form.links.help_url(*self.help_about)
            if (found.said, help_url) != told:
                told = (found.said, help_url)
                yield found.event(help_url)
            await self.service.collector.changed(CHECK_SECONDS)

    @property
    def extension_hours(self) -> int | None:
        """How many more hours its user may ask for now; None: no more."""
        return extension.offered(self.service.hub.walltime_extension, self.record, self._job())

    @property
    def ending(self) -> Ending | None:
        """How the last session ended, until another one is started."""
        past = self.service.history.last(self.owner)
        return None if past is None else self.ending_of(past)

    @property
    def refresh_seconds(self) -> int:
        """How often home asks again; 0 while nothing that it says changes by itself."""
        found, past = self.status, self.service.history.last(self.owner)
        if found is not None:
            return found.refresh_seconds if self.pending else 0
        return 0 if past is None or past.settled else status.QUEUED_REFRESH_SECONDS

    def ending_of(self, past: PastSession) -> Ending:
        """Say how a past session ended."""
        choices = [units.mebibytes(choice) for choice in self.service.form.memory.choices]
        return explain.ending(past, choices)

    @property
    def last_end(self) -> Text | None:
        """Why the last session ended, if that was not its user's wish."""
        past = self.service.history.last(self.owner)
        return None if past is None or past.as_wished else self.ending_of(past).said

    @property
    def past_sessions(self) -> tuple[PastSession, ...]:
        """The user's last sessions, the youngest first."""
        return self.service.history.of(self.owner)

    @property
    def keeps_history(self) -> bool:
        """Whether there is a page with them."""
        return self.service.history.days > 0

    @property
    def keeps_usage(self) -> bool:
        """Whether there is a page with what the user's sessions used."""
        return self.service.hub.usage_months > 0

    @property
    def help_about(self) -> tuple[str, str]:
        """Job id and reason of the session in Slurm's words, for the support; empty where not known."""
        number = str(self.job_id or "")
        job = self.service.collector.snapshot.jobs.get(int(number)) if number.isdigit() else None
        if job is not None:
            return number, job.reason or job.state
        ending = self.ending
        return (number, "") if ending is None else (str(ending.job_id or ""), ending.word)

    def help_url(self, job_id: int | None = None, reason: str = "") -> str:
        """Return where to get help with a job; empty where the site gives no such link."""
        return self.service.form.links.help_url("" if job_id is None else str(job_id), reason)

    def progress_ready_hook(self, _spawner: object, event: dict[str, Any]) -> dict[str, Any]:
        """Say in the reader's language that the session is ready."""
        said = str(say("session.ready"))
        return event | {"message": said, "html_message": said}
