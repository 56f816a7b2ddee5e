"""The hub's end of the collector: keeps the child running and the last snapshot at hand."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from typing import TYPE_CHECKING

from berth import journal
from berth.hub.collector import pipe
from berth.hub.collector.snapshot import PARTS, Snapshot, Update, Watch
from berth.hub.metrics import figures

if TYPE_CHECKING:
    from berth.hub.settings import SlurmSettings

RESTART_PAUSE = 2.0
"""Seconds before a child that ended is started again."""
SILENCE_SECONDS = 6 * pipe.BEAT_SECONDS
"""A child from which nothing was heard for so long hangs: it is ended and started again."""
STREAM_LIMIT = 64 * 1024 * 1024
ENDED = "The program that asks Slurm ended; it is started again."
"""The error of every part of a snapshot until a new child has answered."""

log = logging.getLogger("berth.collector")


class CollectorClient:
    """One per hub. `snapshot` is always the last known state; it never raises and never waits for Slurm."""

    def __init__(self, settings: SlurmSettings, log_format: str = journal.TEXT) -> None:
        """Prepare; nothing runs before `start`. The child's lines are written in `log_format`."""
        self._settings = settings
        self._log_format = log_format
        self._task: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._watch = Watch()
        self._changed = asyncio.Event()
        self._listed: frozenset[int] = frozenset()
        self.snapshot = Snapshot()

    def start(self) -> None:
        """Start the child and keep it running until `stop`."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep_running())

    async def stop(self) -> None:
        """End the child."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def wake(self) -> None:
        """Ask for a fresh look at the queue; many calls within a second become one query."""
        self._send("wake")

    def notify(self) -> None:
        """Let all that wait for a change look again at once: something else than Slurm has news."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def set_watch(self, watch: Watch) -> None:
        """Say which jobs must be followed until their end is proven."""
        if watch != self._watch:
            self._watch = watch
            self._send(watch)

    async def changed(self, timeout: float) -> None:  # noqa: ASYNC109 - a wait that ends is the purpose
        """Return at the next snapshot or `notify`, or after `timeout` seconds."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), timeout)

    def _send(self, message: object) -> None:
        if self._writer is not None and not self._writer.is_closing():
            pipe.send(self._writer, message)

    def _publish(self, update: Update) -> None:
        before = getattr(self.snapshot, update.part)
        if update.error and not before.error:
            fields = {"kind": figures.KINDS[update.part], "msg": f"Slurm gave no answer: {update.error}"}
            log.warning(journal.Event("slurm-silent", fields))
        figures.observe_answer(update)
        self.snapshot = self.snapshot.updated(update)
        self._look_for_lost(update)
        self.notify()

    def _look_for_lost(self, update: Update) -> None:
        """Raise the alarm when every watched job that was listed is gone without an end."""
        self._listed = self._watch.job_ids & (self._listed | self.snapshot.jobs.keys())
        known = self.snapshot
        answered = update.part == "ends_part" and not update.error
        if not (self._listed and answered and update.asked_at >= known.jobs_part.asked_at):
            return
        if self._listed.isdisjoint(known.jobs.keys() | known.ended.keys()):
            log.error(
                "Slurm lists none of the %d jobs of sessions that it listed before; none is ended.",
                len(self._listed),
            )
            self._listed = frozenset()

    async def _keep_running(self) -> None:
        while True:
            try:
                await self._run_child()
            except (OSError, asyncio.IncompleteReadError) as error:
                log.warning("The collector ended (%r); it is started again.", error)
            except Exception:  # for example records of a newer version that was installed meanwhile
                log.exception("The collector ended; it is started again.")
            # Whoever reads the last state must know that it is no longer refreshed.
            for part in PARTS:
                self._publish(Update(part, error=ENDED))
            await asyncio.sleep(RESTART_PAUSE)

    async def _run_child(self) -> None:
        settings = self._settings
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-m",
            "berth.hub.collector.process",
            settings.partition,
            str(settings.bin_dir),
            str(settings.interval_seconds),
            str(settings.timeout_seconds),
            self._log_format,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=STREAM_LIMIT,
        )
        if child.stdin is None or child.stdout is None:  # pragma: no cover - both were asked for
            return
        self._writer = child.stdin
        self._send(self._watch)
        try:
            while True:
                message = await asyncio.wait_for(pipe.receive(child.stdout), SILENCE_SECONDS)
                if isinstance(message, Update):
                    self._publish(message)
        finally:
            self._writer = None
            with contextlib.suppress(ProcessLookupError):
                child.kill()  # one that hangs would not hear anything else
            await child.wait()
