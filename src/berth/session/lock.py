"""A lock in the home: one process at a time on all nodes, whatever file system the home is on.

flock where the file system has it: the kernel gives it back when the last process that inherited it is
gone. Where it has none (some network file systems refuse it), numbered directories: mkdir is atomic
everywhere, and the highest number has the lock. Its owner touches it; one that is not touched any more, or
whose process is gone, is followed by the next number.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import socket
import tempfile
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

HEARTBEAT_SECONDS: Final = 20.0
STALE_SECONDS: Final = 300.0
"""Beats that may be missed: file servers and nodes do hang for minutes."""

_NO_FLOCK: Final = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EIO})

_GIVEN_BACK: Final = "given-back"
_KEPT: Final = 4
"""Numbers that stay: a listing that is read while numbers come and go must not miss them all."""


class HeldError(Exception):
    """Another process has the lock; the text says which, as far as it is known."""


class HomeLock:
    """Taken by creating it, given back by `release` or at the end of a `with` block.

    `inherited`: descriptors for `pass_fds`, by which children keep the lock as long as they run.
    Raises HeldError when another process has it, OSError when the home cannot be written.
    """

    inherited: tuple[int, ...] = ()

    def __init__(self, path: Path) -> None:
        """Take the lock at `path`, whose directory is made where it is missing."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = path
        self._numbers = path.with_name(f"{path.name}.d")
        self._ended = threading.Event()
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            self._take()
        except BaseException:
            os.close(self._descriptor)
            raise

    def _take(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HeldError(_told(os.pread(self._descriptor, 4096, 0))) from None
        except OSError as error:
            if error.errno not in _NO_FLOCK:
                raise
            self._take_directory()
            return
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, _owner(), 0)
        self.inherited = (self._descriptor,)

    def _take_directory(self) -> None:
        """Take the number after the last one, once that one is given back or its owner is gone.

        Of those who see the same last one, mkdir lets a single one have the next. Numbers only grow: who
        looked long ago makes one that is not the last any more, sees that, and gives up.
        """
        self._numbers.mkdir(mode=0o700, exist_ok=True)
        while True:
            last = self._last()
            if last and self._in_use(self._numbers / str(last)):
                raise HeldError(_told(_read(self._numbers / str(last) / "owner")))
            self._held = self._numbers / str(last + 1)
            with contextlib.suppress(FileExistsError):
                self._held.mkdir(mode=0o700)
                if self._last() == last + 1:
                    break
                shutil.rmtree(self._held, ignore_errors=True)
        try:
            (self._held / "owner").write_bytes(_owner())
        except BaseException:  # the disk is full, perhaps: nobody shall wait for what has no owner
            shutil.rmtree(self._held, ignore_errors=True)
            raise
        for old in [number for number in self._list() if number <= last + 1 - _KEPT]:
            shutil.rmtree(self._numbers / str(old), ignore_errors=True)
        threading.Thread(target=self._beat, daemon=True).start()

    def _list(self) -> list[int]:
        return [int(place.name) for place in self._numbers.iterdir() if place.name.isdecimal()]

    def _last(self) -> int:
        return max(self._list(), default=0)

    def _in_use(self, place: Path) -> bool:
        """Say whether a number has an owner who lives; one without an owner is being taken."""
        try:
            touched = place.stat().st_mtime
        except FileNotFoundError:  # there is a higher one by now
            return False
        if (place / _GIVEN_BACK).exists():
            return False
        owner = _parsed(_read(place / "owner"))
        if owner.get("host") == socket.gethostname() and not _runs(owner):
            return False
        return _now_at(self._path.parent) - touched < STALE_SECONDS

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT_SECONDS):
            with contextlib.suppress(OSError):
                os.utime(self._held)

    def release(self) -> None:
        """Give the lock back; children that inherited it keep it until they end."""
        self._ended.set()
        if not self.inherited:
            with contextlib.suppress(OSError):  # of a rename, which needs no space on the disk
                (self._held / "owner").rename(self._held / _GIVEN_BACK)
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        """Give the lock itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the lock back."""
        self.release()


def _owner() -> bytes:
    """Who has it: a process is known by its number and the time at which it started."""
    document = {"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid())}
    return json.dumps({**document, "since": int(time.time())}).encode()


def _started(pid: int) -> str:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="utf-8") as file:  # noqa: PTH123
        fields = file.read().rpartition(")")[2].split()
        # One that waits for its parent only has nothing any more.
        return fields[19] if fields[0] not in {"Z", "X"} else ""
    return ""


def _runs(owner: dict[str, object]) -> bool:
    pid = owner.get("pid")
    return isinstance(pid, int) and _started(pid) == owner.get("started") != ""


def _now_at(directory: Path) -> float:
    """Read the file server's clock, which stamps what is compared with it."""
    with tempfile.TemporaryFile(dir=directory) as file:
        return os.fstat(file.fileno()).st_mtime


def _read(path: Path) -> bytes:
    with contextlib.suppress(OSError):
        return path.read_bytes()
    return b""


def _parsed(text: bytes) -> dict[str, object]:
    with contextlib.suppress(ValueError):
        document = json.loads(text)
        if isinstance(document, dict):
            return document
    return {}


def _told(text: bytes) -> str:
    owner = _parsed(text)
    if "pid" not in owner:
        return "another process"
    return f"process {owner['pid']} on {owner.get('host')}"
