"""The usage of the last months, in the hub: asked for all users when one opens the page, and kept."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import logging
import sys
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from berth.hub.usage import arithmetic
from berth.hub.usage.arithmetic import Totals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from berth.hub.settings import SlurmSettings

KEPT_SECONDS: Final = 600.0
"""How long an answer counts, for everybody."""
BACK_OFF: Final = 20.0
"""It counts at least this many times as long as it took: a large accounting is asked more seldom."""
RETRY_SECONDS: Final = 60.0
"""Until accounting that did not answer is asked again, however many open the page."""
PATIENCE_SECONDS: Final = 3.0
"""How long a page waits for an answer that is on its way."""

log = logging.getLogger("berth.usage")

Rows = tuple[tuple[str, str, Totals], ...]
"""Month and account with the sums, in their order."""


@dataclass(frozen=True)
class Known:
    """What is known of everybody's usage."""

    rows: Mapping[str, Rows] = field(default_factory=dict)
    """By user."""
    asked_at: float = 0.0
    """Unix time of the question; 0.0: there was no answer yet."""
    error: str = ""
    """Why the last question was not answered; empty when it was."""
    disabled: bool = False
    """There is no accounting."""


class Recent:
    """One per hub. One question at a time, whoever asks and how often; never waits for long, never raises."""

    def __init__(self, slurm: SlurmSettings, months: int) -> None:
        """Prepare; nothing is asked before `ask`."""
        self._slurm = slurm
        self._months = months
        self._known = Known()
        self._next_at = 0.0
        self._asking: asyncio.Task[None] | None = None

    async def ask(self) -> Known:
        """Return what is known, asking first when it is old; without an answer in time, what was known."""
        if self._asking is None and time.monotonic() >= self._next_at:
            self._asking = asyncio.create_task(self._ask())
        if self._asking is not None:
            await asyncio.wait({self._asking}, timeout=PATIENCE_SECONDS)
        return self._known

    async def _ask(self) -> None:
        started, asked_at = time.monotonic(), time.time()
        try:
            found = await self._answer(asked_at)
            if "error" in found:
                self._known = replace(self._known, error=found["error"], disabled=found["disabled"])
            else:
                self._known = Known(_by_user(found["rows"]), asked_at)
        # The child ended by a signal, or what it printed is of another version that was installed meanwhile.
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._known = replace(self._known, error=f"The program that asks for the usage failed: {error!r}")
        finally:
            self._asking = None
        if self._known.error:
            log.warning("The usage cannot be had: %s", self._known.error)
        kept = max(KEPT_SECONDS, BACK_OFF * (time.monotonic() - started))
        self._next_at = time.monotonic() + (RETRY_SECONDS if self._known.error else kept)

    async def _answer(self, now: float) -> dict[str, Any]:
        """Return the child's document (`berth.hub.usage.__main__`)."""
        first = arithmetic.month_after(dt.date.fromtimestamp(now), 1 - self._months)  # noqa: DTZ012 - as Slurm
        slurm = self._slurm
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-I", "-m", "berth.hub.usage", slurm.partition, str(slurm.bin_dir), str(slurm.timeout_seconds)),
            *(str(arithmetic.midnight(first)), str(now)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            printed, _ = await child.communicate()
        finally:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
        document: dict[str, Any] = json.loads(printed)
        return document


def _by_user(rows: list[list[Any]]) -> dict[str, Rows]:
    found: dict[str, list[tuple[str, str, Totals]]] = {}
    for user, account, month, sums in rows:
        found.setdefault(user, []).append((month, account, Totals(**sums)))
    return {user: tuple(sorted(items, key=lambda item: item[:2])) for user, items in found.items()}
