"""Room and inodes where the service writes, and where it would stop without."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from berth.doctor.model import Finding, failure, judged, warning
from berth.doctor.node import runtime_dir

if TYPE_CHECKING:
    from collections.abc import Iterator

    from berth.doctor.site import Site

_MEBIBYTE: Final = 1024**2
# A share of a large disk is much: it is low where both the share and the amount are.
_LOW: Final = (0.10, 10240)
_LEAST: Final = (0.03, 256)
_FEW: Final = (0.05, 0.01)


@dataclass(frozen=True)
class Room:
    """What is left on the file system of a path: MiB, and shares of all (0 to 1)."""

    free_mib: int
    free: float
    inodes: float

    def __str__(self) -> str:
        """Say it in short."""
        return f"{self.free_mib} MiB ({self.free:.0%})"


def space(site: Site) -> list[Finding]:
    """Look at every directory that the service needs room in, each file system once."""
    seen: dict[int, Path] = {}
    problems: list[Finding] = []
    for path, use in _places(site).items():
        try:
            device = path.stat().st_dev
        except OSError as error:
            problems.append(failure(f"{path}, {use}: {error.strerror}", f"have {path} there, or mount it"))
            continue
        if device not in seen:
            seen[device] = path
            problems += judged_room(path, use, room(path))
    listed = ", ".join(f"{path} {room(path)}" for path in seen.values())
    return judged(problems, f"there is room: {listed}")


def _places(site: Site) -> dict[Path, str]:
    logs = {Path("/var/log"): "for logs", Path("/run"): "for sockets"}
    if not site.options.node:
        hub = site.hub
        return {hub.state_dir: "the hub's state", hub.session.root: "layers and releases", **logs}
    places = {layer.parent.parent: "layers and releases" for layer in site.layers}
    return places | {runtime_dir(layer): "the sessions' sockets" for layer in site.layers} | logs


def room(path: Path) -> Room:
    """Measure what is left for everybody but root."""
    found = os.statvfs(path)
    size, left = found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize
    inodes = found.f_favail / found.f_files if found.f_files else 1.0
    return Room(left // _MEBIBYTE, left / size if size else 1.0, inodes)


def judged_room(path: Path, use: str, left: Room) -> Iterator[Finding]:
    """Judge what is left."""
    fix = f"make room on the file system of {path}"
    text = f"{path}, {use}, has {left} left"
    if _below(left, _LEAST):
        yield failure(text, fix)
    elif _below(left, _LOW):
        yield warning(text, fix)
    if left.inodes < _FEW[0]:
        few = f"{path}, {use}, has {left.inodes:.0%} of its inodes left"
        yield failure(few, fix) if left.inodes < _FEW[1] else warning(few, fix)


def _below(left: Room, bounds: tuple[float, int]) -> bool:
    share, amount = bounds
    return left.free < share and left.free_mib < amount
