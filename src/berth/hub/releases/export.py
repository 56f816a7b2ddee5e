"""The catalogue as files: complete HTML with relative links, for a web server or to be opened from disk.

Hidden releases are left out, as anybody may read files. Only files that this wrote before are ever replaced
or removed.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from berth.hub import assets
from berth.hub.releases import pages, view
from berth.hub.texts import text

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping, Sequence

    from berth.releases.catalogue import Contents, Release

LIST: Final = ".berth-catalogue"
"""Names the files of the last time, one a line: what is not in it is somebody else's."""
STATIC: Final = ("catalogue.css", "releases.css", "releases.js")


class ExportError(Exception):
    """The files cannot be written; the text is a sentence for an admin."""


@dataclass(frozen=True)
class FileLinks:
    """The pages as files, seen from one that lies some directories (`root`: `../`) below the list."""

    root: str = ""

    @property
    def home(self) -> str:
        """The list of releases."""
        return f"{self.root}index.html"

    def release(self, name: str) -> str:
        """Return where one release's page is."""
        return f"{self.root}release/{quote(name, safe='')}.html"

    def compare(self, new: str, old: str) -> str:
        """Return where the page is with what changed from one to another."""
        return f"{self.root}compare/{quote(new, safe='')}/{quote(old, safe='')}.html"


def files(
    releases: Sequence[Release], contents: Mapping[str, Contents | None], today: dt.date
) -> Iterator[tuple[str, bytes]]:
    """Give the path and the content of each file. `contents` has the full lists by the releases' names."""
    for name in STATIC:
        yield name, (assets.DIRECTORY / name).read_bytes()
    shown = view.listed(releases, hidden=False)

    def reader(path: str) -> pages.Reader:
        return pages.Reader(FileLinks(_root(path)), today, shown)

    path = "index.html"
    yield path, _page(path, pages.index(reader(path)))
    for release in shown:
        path = f"release/{release.name}.html"
        inside = pages.release(reader(path), release, contents[release.name])
        yield path, _page(path, inside, release.name)
    for new, old in combinations(shown, 2):
        path = f"compare/{new.name}/{old.name}.html"
        inside = pages.compare(reader(path), (new, contents[new.name]), (old, contents[old.name]))
        yield path, _page(path, inside, new.name, old.name)


def _root(path: str) -> str:
    return "../" * (len(PurePosixPath(path).parts) - 1)


def _page(path: str, inside: str, *names: str) -> bytes:
    page = pages.render(
        "releases_file.html",
        language=text.language.get(),
        root=_root(path),
        title=pages.title(*names),
        inside=inside,
    )
    return page.encode()


def write(output: Path, wanted: Mapping[str, bytes], *, check: bool) -> bool:
    """Make `output` hold these files; say whether anything changes. Raises ExportError.

    With `check` nothing is written. Each file is replaced by a rename.
    """
    before = _listed(output)
    names = _names({LIST, *wanted})
    differing = [name for name, page in wanted.items() if _read(output / name) != page]
    if foreign := [name for name in differing if name not in before and (output / name).exists()]:
        raise ExportError(f"{output / foreign[0]} was not written by this command; name another directory")
    gone = [name for name in before if name not in wanted and name != LIST]
    changed = bool(differing or gone or _read(output / LIST) != names)
    if changed and not check:
        # The list first: what a run that broke off has written is known to the next one.
        _replace(output / LIST, _names({LIST, *before, *wanted}))
        for name in differing:
            _replace(output / name, wanted[name])
        for name in gone:
            (output / name).unlink(missing_ok=True)
        _replace(output / LIST, names)
    return changed


def _names(names: set[str]) -> bytes:
    return "".join(f"{name}\n" for name in sorted(names)).encode()


def _listed(output: Path) -> set[str]:
    """Return what was written the last time; a list that names anything outside is nobody's."""
    try:
        names = set((_read(output / LIST) or b"").decode().splitlines())
    except UnicodeDecodeError as error:
        raise ExportError(f"{output / LIST} cannot be read: {error}") from error
    if any(PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts for name in names):
        raise ExportError(f"{output / LIST} names files outside of its directory; remove it")
    return names


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {error}") from error


def _replace(path: Path, page: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(page)
            os.fchmod(file.fileno(), 0o644)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
