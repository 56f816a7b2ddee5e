"""A process that runs one cell after the other and says on both of its outputs where a cell's output ends."""

from __future__ import annotations

import os
import selectors
import subprocess
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CHUNK = 65536


class InterpreterGoneError(Exception):
    """The process ended while it ran a cell."""


class Interpreter:
    """An interpreter that is told cells on its input; started by the first, and again after a stop."""

    def __init__(self, command: Sequence[str], first: bytes = b"") -> None:
        """Remember how to start it, and what to tell it before the first cell."""
        self._command = command
        self._first = first
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, request: Callable[[str], bytes], show: Callable[[str, str], None]) -> str:
        """Run a cell: `request` makes of a mark what is sent, `show` gets stream and text.

        At the end the process prints the mark on a line of its own, on both outputs; what follows it on
        stdout is returned. Raises InterpreterGoneError where the process ends instead.
        """
        process = self._running()
        mark = uuid.uuid4().hex
        assert process.stdin is not None
        process.stdin.write(request(mark))
        process.stdin.flush()
        try:
            return self._listen(process, mark, show)
        except InterpreterGoneError:
            self.stop()
            raise

    def stop(self) -> None:
        """End the process; what it knew is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
                if pipe is not None:
                    pipe.close()
            self._process = None

    @staticmethod
    def _listen(process: subprocess.Popen[bytes], mark: str, show: Callable[[str, str], None]) -> str:
        rest = {}
        with selectors.DefaultSelector() as ready:
            for name in ("stdout", "stderr"):
                ready.register(getattr(process, name), selectors.EVENT_READ, _Output(name, mark, show))
            while ready.get_map():
                for key, _ in ready.select():
                    output: _Output = key.data
                    if output.take(os.read(key.fd, CHUNK)):
                        rest[output.name] = output.rest
                        ready.unregister(key.fileobj)
        return rest["stdout"]

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.stop()
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(
                self._command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
            )
            assert self._process.stdin is not None
            self._process.stdin.write(self._first)
        return self._process


class _Output:
    """One stream of the process, up to the mark."""

    def __init__(self, name: str, mark: str, show: Callable[[str, str], None]) -> None:
        self.name = name
        self.rest = ""
        self._mark = f"\n{mark}".encode()
        self._show = show
        self._held = b""

    def take(self, data: bytes) -> bool:
        """Show what is certain to be the cell's; return whether the mark's line is complete."""
        if not data:
            self._out(self._held)
            raise InterpreterGoneError
        self._held += data
        before, mark, after = self._held.partition(self._mark)
        if not mark:
            # What may be the beginning of the mark waits.
            keep = next((n for n in range(len(self._mark), 0, -1) if self._held.endswith(self._mark[:n])), 0)
            self._out(self._held[: len(self._held) - keep])
            self._held = self._held[len(self._held) - keep :]
            return False
        if b"\n" not in after:
            return False
        self._out(before)
        self.rest = after.partition(b"\n")[0].decode().strip()
        return True

    def _out(self, data: bytes) -> None:
        if data:
            self._show(self.name, data.decode(errors="replace"))
