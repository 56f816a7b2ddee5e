"""The catalogue of installed releases, as `berth release build` writes it.

One JSON file (`<releases_root>/index.json`, renamed into place) says which releases exist, which
session layer each runs with and which environments it holds. The hub offers its form from it, the
session finds its kernels by it. What a release holds in full is a file of its own (`contents`), which
only the page that shows it reads. Standard library only: both are read by hub and sessions.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from berth.releases import fields
from berth.releases.fields import FieldError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

VERSION: Final = 2
"""Version of the index's format that this module reads."""


class CatalogueError(Exception):
    """The index cannot be read or does not say what it must; the text is a sentence for an admin."""


@dataclass(frozen=True)
class Environment:
    """One pinned environment of a release, for example its Python kernel.

    `display_name` is what users see; `language` and `kernel` (the kernel directory's name) are its
    kernel's; `prefix` is the absolute path where it is installed; `packages` maps the packages worth
    naming to their versions.
    """

    name: str
    display_name: str
    language: str
    kernel: str
    prefix: str
    packages: Mapping[str, str]


@dataclass(frozen=True)
class Release:
    """One release: a name, a date, the session layer it runs with, and its environments.

    `layer` is a directory name under `<session_root>/layers`; `jupyter_path` is the absolute
    directory (one entry of JUPYTER_PATH) that holds `kernels/` of exactly this release; `conda` is
    the prefix of its conda, or None; `ends` is the last day on which sessions start with it, or None;
    a `hidden` one is installed, not offered; `bytes` and `files` are what it takes on disk; `contents`
    is the path for `load_contents`.
    """

    name: str
    date: dt.date
    layer: str
    environments: tuple[Environment, ...]
    jupyter_path: str
    conda: str | None
    ends: dt.date | None
    hidden: bool
    bytes: int
    files: int
    contents: str

    def offered(self, today: dt.date) -> bool:
        """Tell whether new sessions may choose it on that day: not hidden, and its end not passed."""
        return not self.hidden and (self.ends is None or today <= self.ends)


@dataclass(frozen=True)
class Package:
    """One package of an environment; `channel` is conda's name of it or `pip`, `bytes` what is installed."""

    name: str
    version: str
    build: str
    channel: str
    license: str
    bytes: int


@dataclass(frozen=True)
class Contents:
    """Every package of a release: by environment, in the order of the release, and of its conda (or None)."""

    environments: Mapping[str, tuple[Package, ...]]
    conda: tuple[Package, ...] | None


def load(path: str | Path) -> tuple[Release, ...]:
    """Read the index at `path`; newest release first.

    Raises CatalogueError when the file is missing, unreadable, not JSON or not a valid index.
    """
    document = _read(path, "release index")
    try:
        return parse(document)
    except CatalogueError as error:
        raise CatalogueError(f"the release index {path} is not valid: {error}") from error


def parse(document: object) -> tuple[Release, ...]:
    """Validate a decoded index; newest release first, equal dates by name downwards.

    Raises CatalogueError with the place and what was expected there.
    """
    try:
        releases = _releases(document)
    except FieldError as error:
        raise CatalogueError(str(error)) from error
    return tuple(sorted(releases, key=lambda release: (release.date, release.name), reverse=True))


def find(releases: Sequence[Release], name: str) -> Release:
    """Give the release called `name`; raises CatalogueError naming those that there are."""
    for release in releases:
        if release.name == name:
            return release
    known = ", ".join(release.name for release in releases) or "none"
    raise CatalogueError(f"there is no release {name!r} in the index (there is: {known})")


def load_contents(path: str | Path) -> Contents:
    """Read the file that a release's `contents` names; raises CatalogueError as `load` does."""
    document = _read(path, "list of packages")
    try:
        return parse_contents(document)
    except CatalogueError as error:
        raise CatalogueError(f"the list of packages {path} is not valid: {error}") from error


def parse_contents(document: object) -> Contents:
    """Validate a decoded list of packages; raises CatalogueError as `parse` does."""
    try:
        found = fields.mapping(document, "it", {"environments", "conda"})
        listed = [_listed(item, where) for item, where in fields.items(found["environments"], "environments")]
        fields.distinct([name for name, _ in listed], "environments")
        conda = None if found["conda"] is None else _listed(found["conda"], "conda")[1]
    except FieldError as error:
        raise CatalogueError(str(error)) from error
    return Contents(dict(listed), conda)


def _read(path: str | Path, what: str) -> object:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueError(f"cannot read the {what} {path}: {error}") from error
    try:
        document: object = json.loads(text)
    except ValueError as error:
        raise CatalogueError(f"the {what} {path} is not JSON: {error}") from error
    return document


def _releases(document: object) -> list[Release]:
    index = fields.mapping(document, "the index", {"version", "releases"})
    version = index["version"]
    if version != VERSION or isinstance(version, bool):
        raise FieldError(f"version must be {VERSION}, found {version!r}")
    releases = [_release(item, where) for item, where in fields.items(index["releases"], "releases")]
    fields.distinct([release.name for release in releases], "releases")
    return releases


def _release(value: object, where: str) -> Release:
    item = fields.entry(value, where, Release.__dataclass_fields__)
    return Release(
        name=item.read("name", fields.name),
        date=item.read("date", fields.date),
        layer=item.read("layer", fields.name),
        environments=item.read("environments", _environments),
        jupyter_path=item.read("jupyter_path", fields.absolute),
        conda=item.maybe("conda", fields.absolute),
        ends=item.maybe("ends", fields.date),
        hidden=item.read("hidden", fields.truth),
        bytes=item.read("bytes", fields.count),
        files=item.read("files", fields.count),
        contents=item.read("contents", fields.absolute),
    )


def _environments(value: object, where: str) -> tuple[Environment, ...]:
    environments = tuple(_environment(*entry) for entry in fields.items(value, where))
    if not environments:
        raise FieldError(f"{where} must name at least one environment")
    for key in ("name", "kernel"):
        fields.distinct([getattr(entry, key) for entry in environments], f"{where}: {key}")
    return environments


def _environment(value: object, where: str) -> Environment:
    item = fields.entry(value, where, Environment.__dataclass_fields__)
    return Environment(
        name=item.read("name", fields.name),
        display_name=item.read("display_name", fields.text),
        language=item.read("language", fields.text),
        kernel=item.read("kernel", fields.name),
        prefix=item.read("prefix", fields.absolute),
        packages=item.read("packages", fields.texts_by_name),
    )


def _listed(value: object, where: str) -> tuple[str, tuple[Package, ...]]:
    item = fields.entry(value, where, {"name", "packages"})
    return item.read("name", fields.name), item.read("packages", _packages)


def _packages(value: object, where: str) -> tuple[Package, ...]:
    return tuple(_package(*entry) for entry in fields.items(value, where))


def _package(value: object, where: str) -> Package:
    item = fields.entry(value, where, Package.__dataclass_fields__)
    return Package(
        name=item.read("name", fields.text),
        version=item.read("version", fields.text),
        build=item.read("build", fields.maybe_empty),
        channel=item.read("channel", fields.name),
        license=item.read("license", fields.maybe_empty),
        bytes=item.read("bytes", fields.count),
    )
