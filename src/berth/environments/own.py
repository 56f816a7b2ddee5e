"""Kernels in the user's home, read as they are: a broken one is found, too."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST: Final = 1_000_000


@dataclass(frozen=True)
class Kernel:
    """A directory with a `kernel.json`; without a display name of its own its name is shown.

    `argv` is empty and `unreadable` a sentence where the file does not describe a kernel.
    """

    name: str
    directory: Path
    display_name: str
    argv: tuple[str, ...]
    unreadable: str | None = None

    @property
    def interpreter(self) -> Path | None:
        """The program of an environment that the kernel is about: behind the wrapper, if there is one.

        Behind, only what lies in a `bin` is a program: it may be a script or a file for the first one.
        """
        paths = [Path(item) for item in self.argv[:2]]
        if len(paths) > 1 and paths[1].is_absolute() and paths[1].parent.name == "bin":
            return paths[1]
        return paths[0] if paths and paths[0].is_absolute() else None


def directory(home: Path) -> Path:
    """Give the directory of the user's own kernels."""
    return home / ".local" / "share" / "jupyter" / "kernels"


def find(home: Path) -> list[Kernel]:
    """Read all own kernels, by name; none where there is no such directory."""
    try:
        found = sorted(directory(home).iterdir())
    except OSError:
        return []
    shown = [item for item in found if not item.name.startswith(".")]
    return [read(item) for item in shown if (item / "kernel.json").is_file()]


def read(place: Path) -> Kernel:
    """Read one kernel's directory; never raises."""
    path = place / "kernel.json"
    try:
        with path.open(encoding="utf-8") as file:
            document = json.loads(file.read(_LONGEST))
    except OSError as error:
        return _broken(place, f"{path} cannot be read: {error.strerror}")
    except ValueError as error:
        return _broken(place, f"{path} is not valid JSON: {error}")
    if not isinstance(document, dict) or not _strings(document.get("argv")):
        return _broken(place, f'{path} must be an object with "argv", a list of strings')
    argv: Sequence[str] = document["argv"]
    name: Any = document.get("display_name")
    return Kernel(place.name, place, name if isinstance(name, str) and name else place.name, tuple(argv))


def _broken(place: Path, sentence: str) -> Kernel:
    return Kernel(place.name, place, place.name, (), sentence)


def _strings(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)
