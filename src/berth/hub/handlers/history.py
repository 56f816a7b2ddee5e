"""`GET /hub/berth/history`: what the user's last sessions asked for, what they used, how they ended."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from jupyterhub.handlers import BaseHandler
from tornado import web

from berth.hub.texts import words
from berth.hub.texts.text import Text, say

if TYPE_CHECKING:
    from berth.hub.service import Service
    from berth.hub.session.history import PastSession
    from berth.hub.session.tellingspawner import TellingSpawner
    from berth.slurm.answers.records import Job

COLUMNS: Final = (
    "pages.column_requested",
    "pages.column_lasted",
    "pages.column_job",
    "pages.column_node",
    "pages.column_cores",
    "pages.column_memory",
    "pages.column_gpus",
    "pages.column_release",
    "pages.column_end",
)
NOTHING: Final = "-"
"""In a cell of which nothing is known."""


@dataclass(frozen=True)
class Row:
    """One line of the table; `cells` are those of all columns but the last."""

    cells: tuple[Text | str, ...]
    end: Text
    help: str


class HistoryHandler(BaseHandler):
    """The page with the history of whoever asks; nobody else's is shown."""

    @web.authenticated
    async def get(self) -> None:
        """Show it."""
        service: Service = self.settings["berth"]
        spawner: TellingSpawner = self.current_user.spawner
        now = time.time()
        page = await self.render_template(
            "history.html",
            user=self.current_user,
            rows=[row(spawner, past, now) for past in spawner.past_sessions] if service.history.days else [],
            columns=[say(key) for key in COLUMNS],
            days=service.history.days,
            zone=time.strftime("%Z", time.localtime(now)),
        )
        self.finish(page)


def row(spawner: TellingSpawner, past: PastSession, now: float) -> Row:
    """Return the line of one session."""
    ending = spawner.ending_of(past)
    help_url = spawner.help_url(ending.job_id, ending.word) if ending.word else ""
    # What the page after the stop says of freed resources is old news here.
    stopped = past.as_wished and past.job is not None and past.job.nodes
    return Row(cells(past, now), say("pages.ended_as_asked") if stopped else ending.said, help_url)


def cells(past: PastSession, now: float) -> tuple[Text | str, ...]:
    """Return what is known of a session, in the order of the columns; the record knows what was asked."""
    asked, job = past.record.asked, past.job
    gpus, kind = asked.get("gpus", 0), asked.get("gpu_type") or ""
    return (
        words.moment(past.record.requested_at, now),
        _lasted(job),
        str(past.record.job_id or NOTHING),
        ", ".join(job.nodes) if job is not None and job.nodes else NOTHING,
        _cores(asked.get("cores", 0), job),
        _memory(asked.get("memory_mib", 0), job),
        f"{gpus} {kind}".strip() if gpus else "0",
        str(asked.get("release", NOTHING)),
    )


def _seconds(job: Job | None) -> int:
    """Return how long a job ran; 0 where it did not, or where that is not known."""
    if job is None or not job.nodes or not job.start_time or not job.end_time:
        return 0
    return max(0, job.end_time - job.start_time)


def _lasted(job: Job | None) -> Text | str:
    if job is not None and job.ended and not job.nodes:
        return say("pages.never_started")
    return words.elapsed(_seconds(job)) if job is not None and job.ended else NOTHING


def _cores(asked: int, job: Job | None) -> Text | str:
    seconds = _seconds(job)
    if job is None or job.cpu_seconds is None or not job.cpus or not seconds:
        return str(asked)
    percent = round(100 * job.cpu_seconds / (seconds * job.cpus))
    return say("pages.cores_used", cores=asked, percent=percent)


def _memory(asked: int, job: Job | None) -> Text | str:
    size = words.size(asked)
    if job is None or not job.peak_memory_mib:
        return size
    return say("pages.memory_used", asked=size, peak=words.size(job.peak_memory_mib))
