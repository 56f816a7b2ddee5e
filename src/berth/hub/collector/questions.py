"""When each kind of question to Slurm is due: a lane for each daemon, one question at a time in each lane."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from berth.hub.collector.snapshot import Update

BACK_OFF = 5.0
"""A question is asked no earlier than this many times the duration of its last answer."""
RETRY_SECONDS = 5.0
"""Seconds until a question that was not answered is asked again."""
WAKE_INTERVAL = 1.0
"""Seconds between two questions that were asked for by a wake-up."""


@dataclass
class Question:
    """One kind of question: when it is due, and how long the last one took. Times are monotonic."""

    part: str
    """The part of the snapshot that it answers."""
    ask: Callable[[], Awaitable[Update]]
    interval: float
    """Seconds between two of them; infinite for one that is asked only when wanted."""
    retry: float = RETRY_SECONDS
    hurried: bool = False
    """Whether one that is wanted need not wait until the pause after the last one is over."""
    due_at: float = 0.0
    wanted: bool = False
    _not_before: float = 0.0
    _failed: bool = False

    @property
    def next_at(self) -> float:
        """The time at which it is to be asked."""
        return min(self.due_at, self._not_before) if self.wanted else self.due_at

    def finished(self, started: float, *, failed: bool) -> None:
        """Note that the one that was asked at *started* has come to its end."""
        now = time.monotonic()
        # How long a question without an answer took says nothing about the load of asking. Nor does the first
        # answer after it: Slurm was just coming back, and its nodes may not all have come back yet.
        pause = BACK_OFF * (now - started)
        if failed or self._failed:
            pause = self.retry if failed else RETRY_SECONDS
        self.due_at = now + max(self.interval, pause)
        self._not_before = started + WAKE_INTERVAL if self.hurried else now + pause
        self._failed = failed


@dataclass
class Lane:
    """The questions that one daemon answers. While it is silent, the other lanes go on."""

    questions: tuple[Question, ...]
    _called: asyncio.Event = field(default_factory=asyncio.Event)

    def want(self, question: Question) -> None:
        """Have a question asked as soon as it may be; many calls become one question."""
        question.wanted = True
        self._called.set()

    @property
    def next_at(self) -> float:
        """The time at which the next question is to be asked."""
        return min(question.next_at for question in self.questions)

    async def until_due(self) -> None:
        """Return when a question is to be asked."""
        while (left := self.next_at - time.monotonic()) > 0:
            self._called.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._called.wait(), left)
