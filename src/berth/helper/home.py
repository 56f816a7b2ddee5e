"""Whether the user's home has room: a session in a full one would start and then fail at its first file.

A small file is written, synced and removed by a child that has the user's rights and nothing more. Only
"no space" and "over quota" refuse a start, and a home that does not answer; all else is the session's
business. Run as `python -I -S home.py DIRECTORY`: the exit status is the error's number, 0 for none.
"""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from berth.helper.policy import User
    from berth.helper.protocol import Answer

ANSWER_SECONDS = 6.0
"""How long the home may take; with Slurm's command it stays below the deadline of the request."""
TEST_BYTES = 16384
"""A little more than a session needs for its log and its notebooks' checkpoints to begin with."""
_FULL = {errno.ENOSPC, errno.EDQUOT}


def problem(user: User) -> Answer | None:
    """Return the answer that refuses a start because of the user's home, None when it may go on."""
    argv = [sys.executable, "-I", "-S", __file__, user.home]
    try:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={},
            start_new_session=True,
            extra_groups=user.groups,
            group=user.gid,
            user=user.uid,
        )
    except OSError:
        return None
    try:
        status = child.wait(ANSWER_SECONDS)
    except subprocess.TimeoutExpired:
        # Not waited for: a process inside a dead filesystem cannot be killed. The unit ends it with us.
        with contextlib.suppress(OSError):
            child.kill()
        return _refusal("home-unreachable", f"{user.home} did not answer within {ANSWER_SECONDS:g} seconds.")
    if status in _FULL:
        return _refusal("home-full", f"{user.home}: {os.strerror(status)}.")
    return None


def _refusal(error: str, message: str) -> Answer:
    return {"ok": False, "error": error, "message": f"{message} Nothing was queued."}


def write_test(directory: str) -> int:
    """Write and remove a file in a directory; return the number of the error that stopped it, 0 for none."""
    path = Path(directory, f".berth-{os.urandom(8).hex()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        return error.errno or 0
    try:
        content = os.urandom(TEST_BYTES)  # what a filesystem cannot compress
        while content:
            content = content[os.write(descriptor, content) :]
        os.fsync(descriptor)
    except OSError as error:
        return error.errno or 0
    finally:
        os.close(descriptor)
        with contextlib.suppress(OSError):
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(write_test(sys.argv[1]))
