"""Prepare one environment in the user's home: ``python -I -m berth.session.prepare``, beside a session.

The contract of such an environment is in docs/adr/0007, "Prepared in the home". A run that is cut off
leaves the staging directory, which the next run goes on with; what is complete is renamed into place.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from berth.session.lock import HeldError, HomeLock

if TYPE_CHECKING:
    from types import FrameType

_ASK_SECONDS: Final = 2.0
_END_SECONDS: Final = 10.0


def main(arguments: list[str]) -> int:
    """Prepare `final` by running `hook`; give 0 when it is there, whoever made it."""
    parser = argparse.ArgumentParser(prog="berth.session.prepare")
    parser.add_argument("hook", type=Path)
    parser.add_argument("final", type=Path)
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _leave)
    try:
        return _prepare(options.hook, options.final)
    except OSError as error:
        sys.stderr.write(f"the environment cannot be prepared: {error}\n")
        return 1


def _prepare(hook: Path, final: Path) -> int:
    while not final.is_dir():
        try:
            lock = HomeLock(final.with_name(f".{final.name}.lock"))
        except HeldError as held:
            sys.stderr.write(f"{held} prepares this environment: waiting for it\n")
            time.sleep(_ASK_SECONDS)
            continue
        with lock:
            if final.is_dir():  # finished between the look and the lock
                break
            staging = final.with_name(f".staging-{final.name}")
            staging.mkdir(mode=0o700, exist_ok=True)
            status = _run([str(hook), str(staging), str(final)], lock.inherited)
            if status != 0:
                sys.stderr.write(f"{hook} ended with status {status}\n")
                return status if 0 < status < 128 else 1  # noqa: PLR2004 - what a shell adds for signals
            staging.rename(final)
    return 0


def _run(command: list[str], inherited: tuple[int, ...]) -> int:
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, pass_fds=inherited, start_new_session=True, stderr=sys.stdout
    )
    try:
        return process.wait()
    except SystemExit:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        raise


def _leave(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(143)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
