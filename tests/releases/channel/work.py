"""What recipes work with: a directory of their own, Debian's suites, PyPI's wheels."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.releases.channel.debian import Suite
from tests.releases.channel.wheel import Wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
LOCKS = HERE.parent / "wheels"
# Every name that pip knows for "a wheel of CPython 3.11 that runs with Debian 12's glibc": the channel does
# not depend on the Python that runs the builder.
GLIBC = range(5, 37)
PLATFORMS = [
    *(f"manylinux_2_{minor}_x86_64" for minor in GLIBC),
    "manylinux2014_x86_64",
    "manylinux2010_x86_64",
    "manylinux1_x86_64",
    "linux_x86_64",
]


class DownloadError(Exception):
    """A wheel cannot be had; the message says what to do."""


@dataclass(frozen=True)
class Work:
    """The place of one build; it goes with everything in it."""

    directory: Path
    _suites: dict[str, Suite] = field(default_factory=dict)

    def suite(self, name: str) -> Suite:
        """A suite of Debian; asked twice, the same one."""
        return self._suites.setdefault(name, Suite(name, self.directory / name))

    def empty(self, name: str) -> Path:
        """A new directory."""
        path = self.directory / name
        path.mkdir()
        return path

    def wheels(self, *pins: str) -> list[Wheel]:
        """Download wheels by their pins (lines of a lock, with hashes), and nothing else."""
        target = self.directory / f"wheels-{len(list(self.directory.iterdir()))}"
        target.mkdir()
        lock = target.with_suffix(".txt")
        lock.write_text("\n".join(pins), encoding="utf-8")
        tags = [word for platform in PLATFORMS for word in ("--platform", platform)]
        abis = ["--abi", "cp311", "--abi", "abi3", "--abi", "none"]
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"),
                *(
                    "--only-binary",
                    ":all:",
                    "--implementation",
                    "cp",
                    "--python-version",
                    "3.11",
                    *abis,
                    *tags,
                ),
                *("--dest", target, "--requirement", lock),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last = [line for line in done.stderr.splitlines() if line.startswith("ERROR")][-1:]
            raise DownloadError(
                f"PyPI's wheels cannot be had here: {''.join(last)}. See that this machine reaches PyPI, or "
                "a mirror that pip's own configuration names."
            )
        return [Wheel(path) for path in sorted(target.glob("*.whl"))]


def pins(*names: str) -> Iterator[str]:
    """The pins of locks of `tests/releases/wheels`, each once."""
    seen = set()
    for name in names:
        text = (LOCKS / f"{name}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
        for line in text.splitlines():
            pin = " ".join(line.split())
            if pin and not pin.startswith("#") and pin not in seen:
                seen.add(pin)
                yield pin
