"""How often Slurm is asked: the slower it answers, the more rarely."""

from __future__ import annotations

from dataclasses import dataclass

BACK_OFF = 5.0
"""A round starts no earlier than this many times the duration of the last one of its kind."""
RETRY_SECONDS = 5.0
"""Seconds until a question that was not answered is asked again."""


@dataclass
class Kind:
    """One kind of question: when it is due, and how long the last one took."""

    interval: float
    due_at: float = 0.0
    failed: bool = False

    def finished(self, started: float, now: float, *, failed: bool) -> None:
        """Note when the next one is due; times are monotonic."""
        # How long a question without an answer took says nothing about the load of asking. Nor does the first
        # answer after it: Slurm was just coming back, and its nodes may not all have come back yet.
        pause = RETRY_SECONDS if failed or self.failed else BACK_OFF * (now - started)
        self.due_at = now + max(self.interval, pause)
        self.failed = failed
