"""What the releases of one root share: packages, files, and the right to change anything."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import sys
from typing import TYPE_CHECKING, Final

from berth.releases import manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path


# Between file systems, or directories with a quota of their own; where there are none; so many already.
_NO_LINK: Final = frozenset({errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


class Store:
    """`<root>/.packages`: conda's and uv's caches, and `files` for what was made while building.

    In `<root>/.new` is written what is then renamed to its place: what an interrupted run leaves is there.
    `.packages` may be another file system than the releases, whose files are copies then: see `notes`.
    """

    def __init__(self, root: Path) -> None:
        """Take the store below `root`; nothing is made yet."""
        self.root = root
        self.place = root / ".packages"
        self.conda = self.place / "conda"
        self.uv = self.place / "uv"
        self.files = self.place / "files"
        self.new = root / ".new"
        self._without_links: OSError | None = None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the right to change the root; a second one waits, and says so."""
        self.place.mkdir(parents=True, exist_ok=True)
        with (self.place / "lock").open("w", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                sys.stderr.write(f"another `berth release` works on {self.root}: waiting for it\n")
                fcntl.flock(file, fcntl.LOCK_EX)
            shutil.rmtree(self.new, ignore_errors=True)
            self.new.mkdir()
            yield

    def share(self, prefix: Path, files: Mapping[str, str]) -> None:
        """Link each file that is not shared yet with the first one of the same content and mode."""
        for path, described in files.items():
            target = prefix / path
            status = target.lstat()
            if described.startswith("->") or status.st_nlink > 1 or status.st_size == 0:
                continue
            self._share(target, described)

    def _share(self, target: Path, described: str) -> None:
        mode, _, digest = described.partition(" ")
        place = self.files / digest[:2] / f"{digest}-{mode}"
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.is_file() and manifest.describe(place) != described:
            place.unlink()  # somebody wrote into a file of a release: that shall not spread
        try:
            if place.is_file():
                new = target.with_name(f".{target.name[:200]}.berth")
                os.link(place, new)
                new.replace(target)
            else:
                os.link(target, place)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            # The file stands for itself, as the copies do that py-rattler and uv make then.
            if error.errno != errno.EMLINK:  # that is about one file
                self._without_links = error

    def notes(self) -> tuple[str, ...]:
        """Say, if it was so, that files could not be shared."""
        if self._without_links is None:
            return ()
        said = f"no hard links between packages and environments ({self._without_links.strerror})"
        return (f"{self.root}: {said}: environments hold copies, which take their full size each",)

    def prune(self) -> None:
        """Remove what no release uses any more, and what interrupted downloads left behind."""
        shutil.rmtree(self.uv, ignore_errors=True)
        for path in [*self.files.glob("*/*")]:
            if path.stat().st_nlink == 1:
                path.unlink()
        for directory in [*self.conda.glob("*/")]:
            if not any(path.lstat().st_nlink > 1 for path in directory.rglob("*") if path.is_file()):
                shutil.rmtree(directory)
                directory.with_name(f"{directory.name}.lock").unlink(missing_ok=True)


def measure(prefixes: Iterable[Path]) -> tuple[int, int]:
    """Give the bytes of what some prefixes list, shared files once, and the number of their files."""
    sizes: dict[int, int] = {}
    count = 0
    for prefix in prefixes:
        for path in manifest.read(prefix).files:
            status = (prefix / path).lstat()
            sizes[status.st_ino] = status.st_size
            count += 1
    return sum(sizes.values()), count
