"""Inside a job of the partition, as its user: what a session would find there."""

from __future__ import annotations

import glob
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from berth.doctor import node
from berth.doctor.model import Finding, NotApplicableError, failure, judged, ok

if TYPE_CHECKING:
    from collections.abc import Iterator

    from berth.doctor.site import Site

_ROOT: Final = Path("/sys/fs/cgroup")
_GPUS: Final = "/dev/nvidia[0-9]*"
_MEBIBYTE: Final = 1024**2
_CGROUP_FIX: Final = "have {}=yes in cgroup.conf of this node, and restart slurmd"


def memory(site: Site) -> list[Finding]:  # noqa: ARG001 - every check takes the site
    """Look for a limit of memory on the cgroups above this process."""
    asked = int(os.environ.get("SLURM_MEM_PER_NODE", "0"))
    text = Path("/proc/self/cgroup").read_text(encoding="utf-8")
    limits = [limit for path in limit_files(text, _ROOT) if (limit := _limit(path)) is not None]
    if not limits:
        text = "this job's memory has no limit: it could take that of all others on its node"
        return [failure(text, _CGROUP_FIX.format("ConstrainRAMSpace"))]
    least = min(limits)
    if asked and least > asked:
        text = f"this job asked for {asked} MiB and may use {least} MiB"
        return [failure(text, _CGROUP_FIX.format("ConstrainRAMSpace"))]
    return [ok(f"the kernel limits this job to {least} MiB")]


def limit_files(text: str, root: Path) -> Iterator[Path]:
    """Give the files with limits of memory of a cgroup (`/proc/self/cgroup`) and of those above it."""
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        tree, name = (root / "memory", "memory.limit_in_bytes") if controllers else (root, "memory.max")
        here = tree / path.lstrip("/")
        yield from (place / name for place in (here, *here.parents) if place.is_relative_to(tree))


def _limit(path: Path) -> int | None:
    """Return a limit in MiB; None where there is none (cgroup v1 writes a huge number)."""
    try:
        word = path.read_text(encoding="ascii").strip()
    except OSError:
        return None
    amount = int(word) // _MEBIBYTE if word.isdigit() else None
    return amount if amount is not None and amount < 2**40 else None


def devices(site: Site) -> list[Finding]:  # noqa: ARG001 - every check takes the site
    """Try to open every GPU of the node: this job has asked for none."""
    found = sorted(glob.glob(_GPUS))  # noqa: PTH207 - Path would want a directory of its own
    if not found:
        raise NotApplicableError("this node has no GPU")
    opened = [path for path in found if _opens(path)]
    problems = [
        failure(f"a job without GPUs can open {path}", _CGROUP_FIX.format("ConstrainDevices"))
        for path in opened
    ]
    return judged(problems, f"none of the {len(found)} GPUs can be opened by a job that has none")


def _opens(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY))
    except PermissionError:
        return False
    except OSError:  # it was let in, and the device itself said no
        return True
    return True


def server(site: Site) -> list[Finding]:
    """Load what a session serves with, and make a private directory where it would."""
    import berth.session.server  # noqa: F401, PLC0415 - only a layer has what it needs

    place = site.options.layer
    path = node.runtime_dir(place) if place else Path(tempfile.gettempdir())
    try:
        with tempfile.TemporaryDirectory(prefix="berth-doctor-", dir=path):
            pass
    except OSError as error:
        return [failure(f"no directory can be made in {path}: {error.strerror}", f"chmod 1777 {path}")]
    return [ok(f"the session's server loads, and has a place in {path}")]


def home(site: Site) -> list[Finding]:  # noqa: ARG001 - every check takes the site
    """Write into the home."""
    path = Path.home()
    try:
        with tempfile.NamedTemporaryFile(prefix=".berth-doctor-", dir=path) as file:
            file.write(b"berth")
            file.flush()
    except OSError as error:
        return [
            failure(f"{path} cannot be written on this node: {error.strerror}", "mount the homes; make room")
        ]
    return [ok(f"{path} can be written")]
