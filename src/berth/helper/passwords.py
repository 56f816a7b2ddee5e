"""Passwords: asked of PAM, counted before they are tried, and answered alike for names that do not exist."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from berth.helper import accounts, policy
from berth.helper.protocol import Answer, CheckPassword, failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from berth.helper.settings import Settings

FAILURE_SECONDS = 3.0
"""No wrong password is answered sooner: PAM's own delay is shorter for some reasons than for others."""

_NOBODY_KNOWN = "berth-no-such-user"
_WRONG = "The user name or the password is not right."


def check(request: CheckPassword, settings: Settings) -> Answer:
    """Check a password within the account's limit of attempts. A right password is not counted."""
    stamp = time.time_ns()
    with _attempts(request.user, settings) as stamps:
        if len(stamps) >= settings.password_attempts:
            return failure("rate-limited", "Too many wrong passwords. Wait a few minutes and try again.")
        stamps.append(stamp)
    started = time.monotonic()
    answer = _verify(request, settings)
    if answer["ok"]:
        with _attempts(request.user, settings) as stamps, contextlib.suppress(ValueError):
            stamps.remove(stamp)
    else:
        time.sleep(max(0.0, FAILURE_SECONDS - (time.monotonic() - started)))
    return answer


@contextlib.contextmanager
def _attempts(user: str, settings: Settings) -> Iterator[list[int]]:
    """Give the recent attempts (nanoseconds since the epoch), under a lock, and keep what becomes of them.

    Names share 65536 files by their hash, so that made-up names cannot fill the disk.
    """
    name = hashlib.sha256(user.encode()).hexdigest()[:4]
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(Path(settings.password_state_dir) / name, flags, 0o600), "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        window, now = settings.password_window_seconds * 10**9, time.time_ns()
        recorded = [int(word) for word in file.read().split() if word.isdecimal()]
        stamps = [stamp for stamp in recorded if abs(now - stamp) < window]
        yield stamps
        file.seek(0)
        file.truncate()
        file.write(" ".join(map(str, stamps)))


def _verify(request: CheckPassword, settings: Settings) -> Answer:
    import pamela  # noqa: PLC0415 (it loads libpam: only this verb needs it)

    try:
        user = policy.find_user(request.user, settings)
    except policy.NotPermittedError:
        user = None
    try:
        # Never with the name of root or the system: the answer must not tell whether that password is right.
        name = user.name if user else _NOBODY_KNOWN
        pamela.authenticate(name, request.password, settings.pam_service, resetcred=0, check=False)
    except pamela.PAMError:
        user = None
    if user is None:
        return failure("wrong-password", _WRONG)
    return accounts.admitted(user, settings)
