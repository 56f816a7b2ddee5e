"""The event streams that are open, by the login that they belong to."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Streams:
    """Knows which tasks write streams, so that a logout can end them."""

    def __init__(self) -> None:
        """Know none."""
        self._writers: defaultdict[str | None, set[asyncio.Task[object]]] = defaultdict(set)

    @contextmanager
    def reading(self, login: str | None) -> Iterator[None]:
        """Register the current task as a stream of that login, for as long as the block lasts."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a stream is written by a task")
        self._writers[login].add(task)
        try:
            yield
        finally:
            self._writers[login].discard(task)
            if not self._writers[login]:
                del self._writers[login]

    def end(self, login: str | None) -> None:
        """Cancel every task that writes a stream of that login; nothing for no login."""
        if login is not None:
            for task in self._writers.get(login, ()):
                task.cancel()
