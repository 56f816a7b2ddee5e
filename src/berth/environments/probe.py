"""Start a kernel to see whether it does: only one that answers is said to work."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from berth.environments import conda
from berth.environments.context import OwnError

if TYPE_CHECKING:
    from collections.abc import Sequence

ANSWER_SECONDS: Final = 90.0
"""An environment's first start reads all its files, perhaps from a busy file server."""

_END_SECONDS: Final = 10.0


def answer(argv: Sequence[str], seconds: float = ANSWER_SECONDS) -> None:
    """Start a kernel and end it when it has said what it is; raises OwnError with its last words."""
    # Late: half a second that `berth env list` does not need.
    from jupyter_client.blocking.client import BlockingKernelClient  # noqa: PLC0415
    from jupyter_client.connect import write_connection_file  # noqa: PLC0415

    # Unix sockets have short paths; $TMPDIR may be a long one.
    with tempfile.TemporaryDirectory(prefix="berth-env-", dir="/tmp") as place:
        file = str(Path(place) / "kernel.json")
        write_connection_file(file, transport="ipc", ip=str(Path(place) / "ipc"))
        output = Path(place) / "output"
        process = _start([item.replace("{connection_file}", file) for item in argv], output)
        client = BlockingKernelClient(connection_file=file)
        try:
            client.load_connection_file()
            client.start_channels(stdin=False, hb=False)
            deadline = time.monotonic() + seconds
            while process.poll() is None and time.monotonic() < deadline:
                with contextlib.suppress(queue.Empty, TimeoutError):
                    client.kernel_info(reply=True, timeout=1)
                    return
            said = output.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
            end = "does not answer" if process.poll() is None else f"ended with status {process.returncode}"
            raise OwnError("\n  ".join([f"the kernel {end}" + (":" if said else ""), *said]))
        finally:
            client.stop_channels()
            _end(process)


def _start(command: list[str], output: Path) -> subprocess.Popen[bytes]:
    # As the session would start it: without what this terminal has active.
    environ = {name: value for name, value in conda.environment().items() if not name.startswith("CONDA")}
    try:
        with output.open("wb") as file:
            return subprocess.Popen(
                command,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
    except OSError as error:
        raise OwnError(f"the kernel cannot be started: {error}") from error


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
