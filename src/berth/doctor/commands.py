"""Other programs: run with a time limit, in a known language, as root or as a user. No shell is involved."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pwd
    from collections.abc import Sequence

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SECONDS = 15.0
"""How long a program may take unless its caller says otherwise."""


class NotRunError(Exception):
    """A program could not be run, or did not end in time; the text is a sentence."""


@dataclass(frozen=True)
class Answer:
    """How a program ended, and what it printed."""

    status: int
    output: str
    complaint: str

    @property
    def said(self) -> str:
        """What it complained of (or else printed), in one line."""
        return (
            " ".join((self.complaint or self.output).split())[:300] or f"status {self.status}, without a word"
        )


def run(
    argv: Sequence[str],
    *,
    seconds: float = SECONDS,
    given: str = "",
    user: pwd.struct_passwd | None = None,
) -> Answer:
    """Run a program with *given* on its standard input; as *user* with a clean environment and all groups.

    After *seconds* it is killed with all that it started. Raises NotRunError.
    """
    home = user.pw_dir if user else "/root"
    environment = {"PATH": _PATH, "LC_ALL": "C.UTF-8", "HOME": home}
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            cwd="/",
            env=environment,
            start_new_session=True,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=os.getgrouplist(user.pw_name, user.pw_gid) if user else None,
        )
    except OSError as error:
        raise NotRunError(f"{argv[0]} cannot be run: {error.strerror}") from error
    with process:
        try:
            output, complaint = process.communicate(given, timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise NotRunError(f"{' '.join(argv)[:120]} did not end within {seconds:g} seconds") from error
        finally:
            with contextlib.suppress(OSError):  # also what it left behind
                os.killpg(process.pid, signal.SIGKILL)
    return Answer(process.returncode, output, complaint)
