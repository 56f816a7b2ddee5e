"""Memory of the session's job, by its cgroup: what is used, what Slurm lets it use, who was killed for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

_JOB: Final = "job_"
_UNLIMITED: Final = 1 << 60
"""cgroup v1 has no word for it, only a number of about 8 EiB."""


@dataclass(frozen=True)
class Usage:
    """Bytes in use (without files that can be dropped), the limit or None, processes killed for memory."""

    used: int
    limit: int | None
    killed: int


@dataclass(frozen=True)
class Memory:
    """The directory of a job in the hierarchy that accounts memory; `unified` is cgroup v2."""

    directory: Path
    unified: bool

    def usage(self) -> Usage | None:
        """Read the figures; None where they cannot be read."""
        names = _UNIFIED if self.unified else _LEGACY
        try:
            used, limit = (_number(self.directory / name) for name in names[:2])
            inactive = _entry(self.directory / "memory.stat", names[2])
            # cgroup v1 counts where the process was, v2 above that, too.
            places = [self.directory / names[3]] if self.unified else self.directory.rglob(names[3])
            killed = sum(_entry(place, "oom_kill") for place in places)
        except (OSError, ValueError):
            return None
        if used is None:
            return None
        return Usage(max(0, used - inactive), limit, killed)


_UNIFIED: Final = ("memory.current", "memory.max", "inactive_file", "memory.events")
_LEGACY: Final = (
    "memory.usage_in_bytes",
    "memory.limit_in_bytes",
    "total_inactive_file",
    "memory.oom_control",
)


def find(proc: Path = Path("/proc/self")) -> Memory | None:
    """Find the cgroup of the job that this process is in; None where there is none that accounts memory."""
    try:
        groups = [line.split(":", 2) for line in (proc / "cgroup").read_text("utf-8").splitlines()]
        mounts = [line.split() for line in (proc / "mountinfo").read_text("utf-8").splitlines()]
    except OSError:
        return None
    for _, controllers, path in groups:
        if "memory" in controllers.split(","):
            kind, unified = "cgroup", False
        elif not controllers:
            kind, unified = "cgroup2", True
        else:
            continue
        for mount in mounts:
            end = mount.index("-")
            if mount[end + 1] != kind or not (unified or "memory" in mount[end + 3].split(",")):
                continue
            place = _of_job(mount[3], mount[4], path)
            if place is not None and (place / (_UNIFIED if unified else _LEGACY)[0]).is_file():
                return Memory(place, unified)
    return None


def _of_job(root: str, mounted: str, path: str) -> Path | None:
    """Give the job's directory: steps are below it. In a container only a part of the tree may be mounted."""
    parts = Path(path).parts
    number = next((at for at, part in enumerate(parts) if part.startswith(_JOB)), None)
    if number is None:
        return None
    job = Path(*parts[: number + 1])
    inside = job.relative_to(root) if job.is_relative_to(root) else job.relative_to("/")
    return Path(mounted) / inside


def _number(path: Path) -> int | None:
    text = path.read_text("ascii").strip()
    if text == "max" or int(text) >= _UNLIMITED:
        return None
    return int(text)


def _entry(path: Path, name: str) -> int:
    for line in path.read_text("ascii").splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0
