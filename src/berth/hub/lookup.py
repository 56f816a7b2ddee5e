"""Questions to what may be slow, such as a directory service or a shared disk: seldom, and never for long."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Answer = TypeVar("_Answer")

log = logging.getLogger("berth.lookup")


class NoAnswerError(Exception):
    """There is no answer in time, and none is known from before."""


@dataclass
class Lookup(Generic[_Answer]):
    """Asks in threads of its own, about each key once at a time; keeps the answers.

    However many are stuck, they take no thread that anything else waits for.
    """

    name: str
    """What is asked, for the journal."""
    question: Callable[[str], _Answer]
    """Asks about a key; may block."""
    kept_seconds: float
    """How long an answer counts."""
    limit_seconds: float = 5.0
    """How long a question may take before the last known answer is taken."""
    threads: int = 4
    _pool: ThreadPoolExecutor = field(init=False)
    _known: dict[str, tuple[float, _Answer]] = field(default_factory=dict)
    _asking: dict[str, tuple[float, asyncio.Future[_Answer]]] = field(default_factory=dict)
    """The question in flight about a key, and when it is too late for its answer."""

    def __post_init__(self) -> None:
        """Make the threads, which start when they are needed."""
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix=self.name)

    async def ask(self, key: str = "") -> _Answer:
        """Return the answer about a key, the last known one when there is none in time.

        Raises NoAnswerError where none is known.
        """
        known = self._known.get(key)
        if known is not None and time.monotonic() < known[0] + self.kept_seconds:
            return known[1]
        if key not in self._asking:
            self._ask(key)
        too_late, asking = self._asking[key]
        # Whoever comes late while a question hangs does not wait as long again.
        done, _ = await asyncio.wait({asking}, timeout=max(0.0, too_late - time.monotonic()))
        if done and asking.exception() is None:
            return asking.result()
        if known is None:
            raise NoAnswerError(self.name)
        return known[1]

    def last(self, key: str = "") -> _Answer | None:
        """Return the last known answer without asking, however old it is; None: none is known."""
        known = self._known.get(key)
        return None if known is None else known[1]

    def _ask(self, key: str) -> None:
        asking = asyncio.get_running_loop().run_in_executor(self._pool, self.question, key)
        self._asking[key] = (time.monotonic() + self.limit_seconds, asking)
        asking.add_done_callback(lambda done: self._answered(key, done))

    def _answered(self, key: str, asking: asyncio.Future[_Answer]) -> None:
        del self._asking[key]
        if asking.cancelled():
            return
        if (error := asking.exception()) is not None:
            log.warning("%s cannot be looked up: %s", self.name, error)
            return
        self._known[key] = (time.monotonic(), asking.result())
