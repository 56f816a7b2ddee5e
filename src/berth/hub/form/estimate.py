"""When Slurm itself would start a request: asked for on request only, as it takes the controller's locks."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from berth.helper.client import Verdict
from berth.hub.session import reasons
from berth.hub.texts.text import Text, say

if TYPE_CHECKING:
    from berth.helper.client import EstimateResult, HelperClient, Resources
    from berth.hub.collector.snapshot import Snapshot
    from berth.hub.form.options import SessionOptions

KEPT_SECONDS: Final = 60.0
LINE_SECONDS: Final = 20.0
"""How long one stands in line while others are answered."""
ANSWER_SECONDS: Final = 30.0
"""How long one waits for Slurm; the question itself then goes on, and the line with it."""
AT_ONCE_SECONDS: Final = 30.0
"""Slurm plans in steps of its own: what is this near begins at once."""

# sbatch --test-only, the same from 22.05 to 26.05. The time is that of the machine; it may also be "Unknown".
_PLANNED = re.compile(r"Job \d+ to start at (?P<start>\S+) using \d+ processors on ")
_REFUSED = re.compile(r"(?P<before>.*; )?allocation failure: (?P<reason>.+)")


@dataclass(frozen=True)
class Estimate:
    """The answer to "When could it start?"."""

    sentence: Text
    start: datetime | None = None
    """With the zone of this machine."""

    @property
    def shown_start(self) -> str:
        """The start as the sentence shows it, so that a browser can put its own clock there."""
        return _shown(self.start) if self.start is not None else ""

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types, texts in the reader's language."""
        return {
            "sentence": str(self.sentence),
            "start": self.start.timestamp() if self.start is not None else None,
            "shown_start": self.shown_start,
        }


@dataclass
class Estimator:
    """Asks for the whole hub: one question at a time, one of each user, the same one at most once a minute.

    Answers are the user's own: another one's QOS and limits make another time.
    """

    helper: HelperClient
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _kept: dict[tuple[str, Resources], tuple[float, Estimate]] = field(default_factory=dict)
    _in_line: dict[str, asyncio.Task[Estimate] | None] = field(default_factory=dict)
    """Users whose question is not answered yet; with the question, once it is put to Slurm."""

    async def ask(self, user: str, chosen: SessionOptions, snapshot: Snapshot) -> Estimate:
        """Return an estimate, or a sentence why there is none; never raises, never waits for long."""
        if snapshot.jobs_part.error or snapshot.nodes_part.error:
            return Estimate(say("availability.unavailable"))
        if opens := _still_closed(chosen.reservation, snapshot, time.time()):
            return Estimate(say("availability.starts_at", time=_shown(opens)), opens)
        shape = chosen.resources
        if known := self._known(user, shape):
            return known
        if user in self._in_line:
            return Estimate(say("availability.one_at_a_time"))
        self._in_line[user] = None
        try:
            async with asyncio.timeout(LINE_SECONDS):
                await self._turn.acquire()
        except TimeoutError:
            del self._in_line[user]
            return Estimate(say("availability.busy"))
        except asyncio.CancelledError:
            del self._in_line[user]
            raise
        # A task of its own: whoever leaves the page does not let the next question overlap with this one.
        task = self._in_line[user] = asyncio.create_task(self._put(user, shape))
        task.add_done_callback(lambda _: self._finished(user))
        done, _ = await asyncio.wait({task}, timeout=ANSWER_SECONDS)
        return task.result() if done else Estimate(say("availability.slow"))

    def _finished(self, user: str) -> None:
        del self._in_line[user]
        self._turn.release()

    async def _put(self, user: str, shape: Resources) -> Estimate:
        answer = await self.helper.estimate(user, shape)
        found = read(answer, time.time())
        if answer.verdict in {Verdict.OK, Verdict.REFUSED}:
            self._kept[user, shape] = (time.monotonic(), found)
        return found

    def _known(self, user: str, shape: Resources) -> Estimate | None:
        since = time.monotonic() - KEPT_SECONDS
        self._kept = {key: entry for key, entry in self._kept.items() if entry[0] > since}
        entry = self._kept.get((user, shape))
        return entry[1] if entry else None


def read(answer: EstimateResult, now: float) -> Estimate:
    """Put what Slurm answered at the Unix time `now` into a sentence."""
    if answer.verdict is Verdict.REFUSED:
        found = _REFUSED.fullmatch(answer.message)
        # What stands before may be the limit that is the cause.
        message = f"{found['before'] or ''}{found['reason']}" if found else answer.message
        return Estimate(say("availability.refused", reason=reasons.refusal(message)))
    if answer.error == "not-permitted":
        return Estimate(say("session.not_permitted"))
    if answer.verdict is not Verdict.OK:
        return Estimate(say("availability.unavailable"))
    start = _start(answer.text)
    if start is None:
        return Estimate(say("availability.no_time"))
    if start.timestamp() <= now + AT_ONCE_SECONDS:
        return Estimate(say("availability.starts_now"))
    return Estimate(say("availability.starts_at", time=_shown(start)), start)


def _still_closed(name: str | None, snapshot: Snapshot, now: float) -> datetime | None:
    """Return when a reservation to come begins: `--test-only` calls that an invalid time, sbatch waits."""
    starts = (item.start for item in snapshot.reservations if item.name == name and item.start > now)
    return next((datetime.fromtimestamp(start).astimezone() for start in starts), None)


def _start(message: str) -> datetime | None:
    planned = _PLANNED.search(message)
    if planned is None:
        return None
    try:
        return datetime.fromisoformat(planned["start"]).astimezone()
    except ValueError:
        return None


def _shown(start: datetime) -> str:
    return f"{start:%Y-%m-%d %H:%M %Z}"
