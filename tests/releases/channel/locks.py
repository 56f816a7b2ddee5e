"""The locks of the lab's releases: specs, copied to where the lab keeps them, solved against its channel."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.releases.channel import parts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SPECS = parts.RELEASES / "specs"
# Environments that need no more than the small channel; the first is the releases' own conda.
SMALL = ("conda", "python")


class LockError(Exception):
    """The tool could not lock; the message is its own."""


def lock(python: Path, channel: Path, target: Path, *, small: bool) -> Iterator[str]:
    """Bring the specs to `target` and lock what has no lock there or was asked for otherwise; yield what was.

    A lock that is there stays: what a lab has published must not change under it.
    """
    for release in sorted(path for path in SPECS.iterdir() if path.is_dir()):
        copy = target / release.name
        copy.mkdir(parents=True, exist_ok=True)
        asked = sorted(path for path in release.iterdir() if path.suffix == ".yml")
        names = ["conda", *(path.stem for path in asked if path.name != "release.yml")]
        for path in asked:
            if _differs(path, copy / path.name):
                shutil.copyfile(path, copy / path.name)
                stale = names if path.name == "release.yml" else [path.stem]
                for name in stale:
                    (copy / f"{name}.lock.json").unlink(missing_ok=True)
        wanted = [name for name in names if not small or name in SMALL]
        missing = [name for name in wanted if not (copy / f"{name}.lock.json").exists()]
        if missing:
            _solve(python, channel, target, release.name, missing)
            yield f"{release.name}: {', '.join(missing)}"


def _differs(one: Path, other: Path) -> bool:
    return not other.is_file() or one.read_bytes() != other.read_bytes()


def _solve(python: Path, channel: Path, target: Path, release: str, names: list[str]) -> None:
    only = [word for name in names for word in ("--environment", name)]
    command: list[str | Path] = [python, "-m", "berth", "release", "lock", release, "--specs", target, *only]
    command += ["--channel", f"conda-forge={channel.as_uri()}"]
    environment = {**os.environ, "PYTHONPATH": str(parts.ROOT / "src"), "PATH": _path(python)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LockError(f"Release {release} of the lab cannot be locked: {done.stderr.strip()}")


def _path(python: Path) -> str:
    return f"{python.parent}:{os.environ['PATH']}"
