"""A lock in the home: one process at a time on all nodes, whatever file system the home is on.

flock where the file system has it: the kernel gives it back when the last process that inherited it is
gone. Where it has none (some network file systems refuse it), a directory: mkdir is atomic everywhere.
Its owner touches it; one that is not touched any more, or whose process is gone, is taken over.
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
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

HEARTBEAT_SECONDS: Final = 20.0
STALE_SECONDS: Final = 300.0
"""Beats that may be missed: file servers and nodes do hang for minutes."""

_NO_FLOCK: Final = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EIO})


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
        self._directory = path.with_name(f"{path.name}.d")
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
        while True:
            try:
                self._directory.mkdir(mode=0o700)
            except FileExistsError:
                if not self._clear_stale():
                    raise HeldError(_told(_read(self._directory / "owner"))) from None
            else:
                break
        (self._directory / "owner").write_bytes(_owner())
        threading.Thread(target=self._beat, daemon=True).start()

    def _clear_stale(self) -> bool:
        """Remove a lock whose owner is gone; say whether it is worth another attempt."""
        try:
            found = self._directory.stat()
        except FileNotFoundError:
            return True
        owner = _parsed(_read(self._directory / "owner"))
        here = owner.get("host") == socket.gethostname()
        quiet = _now_at(self._path.parent) - found.st_mtime
        if not (here and not _runs(owner)) and quiet < STALE_SECONDS:
            return False
        # Several may find it stale: each renames away what is there, and puts back what it did not look at.
        gone = Path(tempfile.mkdtemp(prefix=f".{self._path.name}-", dir=self._path.parent))
        with contextlib.suppress(OSError):
            self._directory.rename(gone)
            if gone.stat().st_ino != found.st_ino:
                gone.rename(self._directory)
        shutil.rmtree(gone, ignore_errors=True)
        return True

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT_SECONDS):
            with contextlib.suppress(OSError):
                os.utime(self._directory)

    def release(self) -> None:
        """Give the lock back; children that inherited it keep it until they end."""
        self._ended.set()
        if not self.inherited:
            shutil.rmtree(self._directory, ignore_errors=True)
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
        return file.read().rpartition(")")[2].split()[19]
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
