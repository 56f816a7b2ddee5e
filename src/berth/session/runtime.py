"""The session's private directory on the node's own disk, and its log.

Kernels' sockets and connection files must be where only the user reaches them (0700), on a local
file system (unix sockets and locks on network file systems fail), and under a short path.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from berth.session.errors import SessionError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

_PREFIX: Final = "berth-session-"
_MAX_PLACE: Final = (
    107 - len(f"/{_PREFIX}12345678") - len("/kernel-01234567-0123-0123-0123-0123456789ab-ipc-1")
)
"""Bytes that the path of a place may have: a unix socket's whole path has at most 107."""

_LOCK_SECONDS: Final = 60
"""A directory younger than this may belong to a session that is about to lock it."""

_DAY_SECONDS: Final = 86400

ENDING: Final = frozenset({signal.SIGTERM, signal.SIGALRM})
"""Signals that end a session. They are held back while the directory is made, until it is entered."""


@dataclass(frozen=True)
class Runtime:
    """The private directory; as a context manager it is removed on leaving."""

    path: Path
    lock: int

    def __enter__(self) -> Self:
        """Give the directory itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the directory, whatever signal comes; what cannot be removed is left to the next session."""
        held = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self.lock)
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def create(places: Iterable[str]) -> Runtime:
    """Make the private directory in the first place that is usable (short, writable, not full).

    Directories that sessions of the same user left behind when they were killed are removed.
    """
    reasons = []
    for place in places:
        if len(os.fsencode(place)) > _MAX_PLACE:
            reasons.append(f"{place}: the path is too long")
            continue
        try:
            _remove_stale(Path(place))
            return _create(place)
        except OSError as error:
            reasons.append(f"{place}: {error.strerror}")
    raise SessionError("no place for the session's private directory (" + "; ".join(reasons) + ")")


def _create(place: str) -> Runtime:
    path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
    try:
        probe = path / "probe"
        probe.write_bytes(b"x" * 4096)  # on a full disk, fail here and not later
        probe.unlink()
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        # Says that the session lives; systemd-tmpfiles leaves a locked directory alone, too.
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        shutil.rmtree(path, ignore_errors=True)
        raise
    return Runtime(path, lock)


def _remove_stale(place: Path) -> None:
    for path in place.glob(f"{_PREFIX}????????"):
        with contextlib.suppress(OSError):
            status = path.lstat()
            locked_by_now = time.time() - status.st_mtime > _LOCK_SECONDS
            if status.st_uid == os.getuid() and locked_by_now and not _in_use(path):
                shutil.rmtree(path, ignore_errors=True)


def _in_use(path: Path) -> bool:
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def open_log(home: Path, runtime: Path, job_id: str, *, kept: int, days: int) -> Path:
    """Send stdout and stderr to a log in the home, or beside the sockets if that cannot be written.

    With it, `kept` logs are in the home at most, and none older than so many `days` (0: however old).
    A home that is full, read-only or missing must not keep a session from starting.
    """
    name = f"session-{job_id}.log"
    try:
        directory = home / ".berth" / "log"
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_old_logs(directory, kept, days)
        return _redirect(directory / name)
    except OSError as error:
        path = _redirect(runtime / name)
        sys.stderr.write(f"the log is here because the home cannot be written: {error}\n")
        return path


def _redirect(path: Path) -> Path:
    log = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.write(log, b"session starts\n")
        os.fsync(log)  # a quota may only show now
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(log, 1)
        os.dup2(log, 2)
    finally:
        os.close(log)
    return path


def _remove_old_logs(directory: Path, kept: int, days: int) -> None:
    written = {path: path.stat().st_mtime for path in directory.glob("session-*.log")}
    newest = sorted(written, key=lambda path: -written[path])
    oldest = time.time() - days * _DAY_SECONDS if days else 0.0
    for place, path in enumerate(newest, start=2):  # the one that is about to be made is the first
        if place > kept or written[path] < oldest:
            path.unlink(missing_ok=True)
