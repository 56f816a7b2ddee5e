"""Whether a kernel's program can be started on this host, in its environment, before it is published."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING, Final

from berth.releases import kernels
from berth.releases.errors import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from berth.releases.kernels import Kernel, Kernels

_PYTHON: Final = "import ipykernel.kernelapp"
_PYTHON_SECONDS: Final = 300
_OTHER_SECONDS: Final = 30
# What the loader cannot find: a library, or a version of one that the host's is too old for. The driver's
# own libraries are where the GPUs are.
_MISSING: Final = re.compile(r"^\s*(?!libcuda\.|libnvidia-)(\S.*?not found.*)$", re.MULTILINE)
# What a shell answers for a program that cannot be run, or is not there.
_CANNOT_START: Final = (126, 127)


def probe(release: Kernels, kernel: Kernel) -> None:
    """Prove that a kernel can be started, as far as its language lets us; raises ReleaseError.

    Its program is there. Python's finds what it imports; any other one finds its libraries, or a script
    what runs it. What loads modules is not started: the host that builds may not have them.
    """
    command = kernels.command(kernel, user_site=release.user_site)
    program = kernels.executable(kernel, command)
    if kernel.spec.language == "python":
        _python(kernel, program)
    elif not kernel.spec.modules:
        _other(release, kernel, program)


def _python(kernel: Kernel, program: Path) -> None:
    try:
        result = subprocess.run(
            [str(program), "-I", "-B", "-c", _PYTHON],
            capture_output=True,
            text=True,
            timeout=_PYTHON_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ReleaseError(f"the interpreter of {kernel.prefix} cannot be run: {error}") from error
    if result.returncode != 0:
        raise _refusal(kernel, result.stderr)


def _other(release: Kernels, kernel: Kernel, program: Path) -> None:
    """Ask the loader about a program, and a script for its version, with the environment active."""
    with program.open("rb") as file:
        binary = file.read(4) == b"\x7fELF"
    if binary and shutil.which("ldd"):
        # Where a program is a link, it finds its libraries from where that leads: ldd does not.
        _, said = _run(release, kernel, ["ldd", str(program.resolve())])
        if missing := _MISSING.search(said):
            raise _refusal(kernel, f"{program}: {missing[1]}")
    elif not binary:
        status, said = _run(release, kernel, [str(program), "--version"])
        if status in _CANNOT_START:
            raise _refusal(kernel, said)


def _run(release: Kernels, kernel: Kernel, command: Sequence[str]) -> tuple[int | None, str]:
    """Give the status and what was said; no status where it had not ended in time, so could be started."""
    with subprocess.Popen(
        ["/bin/bash", "-c", kernels.script(release, kernel), "start", *command],
        env={"PATH": os.environ.get("PATH", os.defpath), "HOME": "/nonexistent", "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            said, _ = process.communicate(timeout=_OTHER_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return None, ""
    return process.returncode, said


def _refusal(kernel: Kernel, said: str) -> ReleaseError:
    reason = said.strip().splitlines()[-1:] or ["no reason given"]
    return ReleaseError(f"the environment {kernel.prefix} has no kernel that works: {reason[0]}")
