"""Directories for what a command needs only while it runs: gone also when the command is told to end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_ENDS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_made: Final[set[Path]] = set()


@contextlib.contextmanager
def directory(prefix: str) -> Iterator[Path]:
    """Make a directory for temporary files, and remove it with all that is in it."""
    with tempfile.TemporaryDirectory(prefix=prefix) as name:
        place = Path(name)
        _made.add(place)
        try:
            yield place
        finally:
            _made.discard(place)


def remove_when_told_to_end() -> None:
    """Let the signals that end this process remove such directories first; nohup's SIGHUP stays ignored."""
    for number in _ENDS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    # At once, as nothing is half visible of a command that is killed: an exception in the midst of asyncio
    # and py-rattler has been seen to wait for ever.
    for place in list(_made):
        shutil.rmtree(place, ignore_errors=True)
    os.write(2, b"berth release: interrupted\n")
    os._exit(130)
