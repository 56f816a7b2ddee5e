"""A prefix in the making: files of unpacked packages, edited, with the libraries that they need."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.releases.channel.package import File, Link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# Libraries that every machine has in its own version, and must: they belong to its kernel and its loader.
GLIBC = re.compile(
    r"(ld-linux-x86-64|libc|libm|libdl|libpthread|librt|libresolv|libutil|libanl|libmvec|libthread_db)\.so\.\d+"
)
ELF = b"\x7fELF"
# Programs and shared objects, but not the objects that a linker makes them of.
LINKED = {b"\x02\x00", b"\x03\x00"}


class TreeError(Exception):
    """Something that a recipe counts on is not there: it is out of date."""


@dataclass(frozen=True)
class Tree:
    """A prefix at `top`, filled from the packages unpacked at `root`."""

    root: Path
    top: Path

    def take(self, source: str, target: str, leave: Callable[[str], bool] = lambda _: False) -> None:
        """Copy a file, or a directory but for the names that `leave` says; what is there already stays."""
        path, goal = self.root / source, self.top / target
        goal.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(
                path,
                goal,
                symlinks=True,
                dirs_exist_ok=True,
                ignore=lambda _, names: [name for name in names if leave(name)],
            )
        elif path.exists():
            shutil.copy2(path, goal)
        else:
            raise TreeError(f"Debian's packages have no {source} any more.")

    def edit(self, path: str, *replaced: tuple[str, str]) -> None:
        """Replace texts in a file, each of which must be in it."""
        self.edit_bytes(path, *((old.encode(), new.encode()) for old, new in replaced))

    def edit_bytes(self, path: str, *replaced: tuple[bytes, bytes]) -> None:
        """Replace bytes in a file, each of which must be in it."""
        file = self.top / path
        data = file.read_bytes()
        for old, new in replaced:
            if old not in data:
                raise TreeError(f"{path} does not hold {old!r} any more.")
            data = data.replace(old, new)
        if file.is_symlink():
            file.unlink()
        file.write_bytes(data)

    def write(self, path: str, text: str, *, executable: bool = False) -> None:
        """Write a file."""
        file = self.top / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(0o755 if executable else 0o644)

    def complete(
        self, *directories: str, opened: tuple[str, ...] = (), provided: tuple[str, ...] = ()
    ) -> None:
        """Bring the libraries that programs need into the first of `directories`; all are found there.

        `opened` are those that a running program asks for by name, `provided` those of another package.
        """
        store = self.top / directories[0]
        store.mkdir(parents=True, exist_ok=True)
        known = self._libraries()
        waiting = [name for path in self._programs() for name in _needed(path)] + list(opened)
        here = set(provided) | {
            path.name for directory in directories for path in (self.top / directory).iterdir()
        }
        while waiting:
            name = waiting.pop()
            if name in here or GLIBC.fullmatch(name):
                continue
            if name not in known:
                raise TreeError(f"No unpacked package has the library {name}.")
            shutil.copyfile(known[name][0], store / name)
            here.add(name)
            waiting += _needed(store / name)
        for path in self._programs():
            self._look_in(path, directories)

    def files(self) -> Iterator[tuple[str, File | Link]]:
        """Yield everything that is in the prefix."""
        for path in sorted(self.top.rglob("*")):
            name = path.relative_to(self.top).as_posix()
            if path.is_symlink():
                yield name, Link(str(path.readlink()))
            elif path.is_file():
                yield name, File(path.read_bytes(), os.access(path, os.X_OK))

    def _libraries(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = defaultdict(list)
        for path in sorted(self.root.rglob("*.so*"), key=lambda path: (len(path.parts), path)):
            # A link that leads out of the packages is made absolute by their maintainer's scripts.
            if path.is_file() and path.resolve().is_relative_to(self.root.resolve()):
                found[path.name].append(path)
        return found

    def _programs(self) -> Iterator[Path]:
        for path in sorted(self.top.rglob("*")):
            if path.is_file() and not path.is_symlink():
                with path.open("rb") as file:
                    start = file.read(18)
                if start[:4] == ELF and start[16:] in LINKED:
                    yield path

    def _look_in(self, path: Path, directories: tuple[str, ...]) -> None:
        places = [os.path.relpath(self.top / directory, path.parent) for directory in directories]
        places = ["$ORIGIN" if place == "." else f"$ORIGIN/{place}" for place in places]
        if _needed(path):
            path.chmod(path.stat().st_mode | 0o200)
            _patchelf("--set-rpath", ":".join(places), str(path))


def _needed(path: Path) -> list[str]:
    return _patchelf("--print-needed", str(path)).split()


def _patchelf(*words: str) -> str:
    return subprocess.run(["patchelf", *words], check=True, capture_output=True, text=True).stdout
