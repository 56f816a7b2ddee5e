"""The release's conda, run for the user: what it prints is the user's to read."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from berth.environments.context import NO_ROOM, OwnError, out_of_room

if TYPE_CHECKING:
    from collections.abc import Sequence

_ASK_SECONDS: Final = 120
_END_SECONDS: Final = 5.0
# The user's own modules would be imported by conda's Python, and by that of what it makes.
_DROPPED: Final = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONUSERBASE")


def environment() -> dict[str, str]:
    """Give the environment for conda and the Pythons that it installs, without what is not of theirs."""
    kept = {name: value for name, value in os.environ.items() if name not in _DROPPED}
    return {**kept, "PYTHONNOUSERSITE": "1"}


def directory(base: Path) -> Path:
    """Give the directory in which `conda create --name` makes environments."""
    try:
        answer = subprocess.run(
            [str(base / "bin" / "conda"), "info", "--json"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_ASK_SECONDS,
            env=environment(),
            check=True,
        )
        places = [Path(item) for item in json.loads(answer.stdout)["envs_dirs"]]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        raise OwnError(f"the conda of {base} does not work: {error}") from error
    for place in places:
        existing = next(parent for parent in (place, *place.parents) if parent.exists())
        if os.access(existing, os.W_OK):
            return place
    raise OwnError(f"you may write none of conda's directories: {', '.join(map(str, places))}")


def create(base: Path, prefix: Path, channels: Sequence[str], packages: Sequence[str]) -> None:
    """Make an environment at `prefix`; raises OwnError when conda refuses. `discard` removes what is left."""
    asked = [item for channel in channels for item in ("--channel", channel)]
    if asked:
        asked.append("--override-channels")
    command = ["create", "--yes", "--prefix", str(prefix), *asked, "--", *packages]
    code, full = _run([str(base / "bin" / "conda"), *command])
    if code != 0:
        raise OwnError(
            NO_ROOM
            if full
            else "conda could not make the environment, its message is above; nothing of it is left"
        )


def remove(base: Path, prefix: Path) -> None:
    """Remove an environment with everything in it; raises OwnError when conda does not."""
    command = ["remove", "--yes", "--all", "--prefix", str(prefix)]
    code, _ = _run([str(base / "bin" / "conda"), *command])
    if code != 0 or prefix.exists():
        raise OwnError(f"conda could not remove {prefix}, its message is above")


def discard(base: Path, prefix: Path) -> None:
    """Remove what is left of an environment that did not come to be, and conda's note of it."""
    with contextlib.suppress(OwnError, OSError):
        if (prefix / "conda-meta" / "history").is_file():
            remove(base, prefix)
    shutil.rmtree(prefix, ignore_errors=True)


def _run(command: Sequence[str]) -> tuple[int, bool]:
    """Run conda on the terminal; whatever interrupts it, conda has ended before that is raised.

    Gives its status, and whether it spoke of a full disk: once it has undone its work, there is room again.
    """
    process = subprocess.Popen(command, env=environment(), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    full = threading.Event()
    reader = threading.Thread(target=_pass_on, args=(process.stderr, full), daemon=True)
    reader.start()
    try:
        code = process.wait()
    except BaseException:
        # Ctrl-C has reached conda, too; what ends only this process has not.
        for number in (None, signal.SIGINT, signal.SIGKILL):
            if number is not None:
                process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_END_SECONDS)
                break
        raise
    finally:
        reader.join(_END_SECONDS)  # what conda started may live on, and hold the pipe
    return code, full.is_set()


def _pass_on(errors: IO[bytes], full: threading.Event) -> None:
    for line in errors:
        text = line.decode(errors="replace")
        sys.stderr.write(text)
        sys.stderr.flush()
        if out_of_room(text):
            full.set()
