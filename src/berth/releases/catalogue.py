"""The catalogue of installed releases, as role `releases` publishes it.

One JSON file (`<session_root>/releases/index.json`, renamed into place) says which releases exist,
which session layer each runs with and which environments it holds. The hub offers its form from
it, the session finds its kernels by it. Standard library only: it is read on both sides.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VERSION: Final = 1
"""Version of the index's format that this module reads."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")


class CatalogueError(Exception):
    """The index cannot be read or does not say what it must; the text is a sentence for an admin."""


@dataclass(frozen=True)
class Environment:
    """One pinned environment of a release, for example its Python kernel.

    `display_name` is what users see; `prefix` is the absolute path where it is installed;
    `packages` maps the packages worth naming to their versions.
    """

    name: str
    display_name: str
    prefix: str
    packages: Mapping[str, str]


@dataclass(frozen=True)
class Release:
    """One release: a name, a date, the session layer it runs with, and its environments.

    `layer` is a directory name under `<session_root>/layers`; `jupyter_path` is the absolute
    directory (one entry of JUPYTER_PATH) that holds `kernels/` of exactly this release.
    """

    name: str
    date: dt.date
    layer: str
    environments: tuple[Environment, ...]
    jupyter_path: str


def load(path: str | Path) -> tuple[Release, ...]:
    """Read the index at `path`; newest release first.

    Raises CatalogueError when the file is missing, unreadable, not JSON or not a valid index.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueError(f"cannot read the release index {path}: {error}") from error
    try:
        document: object = json.loads(text)
    except ValueError as error:
        raise CatalogueError(f"the release index {path} is not JSON: {error}") from error
    try:
        return parse(document)
    except CatalogueError as error:
        raise CatalogueError(f"the release index {path} is not valid: {error}") from error


def parse(document: object) -> tuple[Release, ...]:
    """Validate a decoded index; newest release first, equal dates by name downwards.

    Raises CatalogueError with the place and what was expected there.
    """
    index = _mapping(document, "the index", {"version", "releases"})
    version = index["version"]
    if version != VERSION or isinstance(version, bool):
        raise CatalogueError(f"version must be {VERSION}, found {version!r}")
    releases = [
        _release(item, f"releases[{number}]")
        for number, item in enumerate(_list(index["releases"], "releases"))
    ]
    _distinct([release.name for release in releases], "releases")
    return tuple(sorted(releases, key=lambda release: (release.date, release.name), reverse=True))


def find(releases: Sequence[Release], name: str) -> Release:
    """Give the release called `name`; raises CatalogueError naming those that there are."""
    for release in releases:
        if release.name == name:
            return release
    known = ", ".join(release.name for release in releases) or "none"
    raise CatalogueError(f"there is no release {name!r} in the index (there is: {known})")


def _release(value: object, where: str) -> Release:
    keys = {"name", "date", "layer", "environments", "jupyter_path"}
    item = _mapping(value, where, keys)
    environments = tuple(
        _environment(entry, f"{where}.environments[{number}]")
        for number, entry in enumerate(_list(item["environments"], f"{where}.environments"))
    )
    if not environments:
        raise CatalogueError(f"{where}.environments must name at least one environment")
    _distinct([environment.name for environment in environments], f"{where}.environments")
    return Release(
        name=_name(item["name"], f"{where}.name"),
        date=_date(item["date"], f"{where}.date"),
        layer=_name(item["layer"], f"{where}.layer"),
        environments=environments,
        jupyter_path=_absolute(item["jupyter_path"], f"{where}.jupyter_path"),
    )


def _environment(value: object, where: str) -> Environment:
    item = _mapping(value, where, {"name", "display_name", "prefix", "packages"})
    packages = item["packages"]
    if not isinstance(packages, dict):
        raise CatalogueError(f"{where}.packages must be a mapping of names to versions")
    return Environment(
        name=_name(item["name"], f"{where}.name"),
        display_name=_text(item["display_name"], f"{where}.display_name"),
        prefix=_absolute(item["prefix"], f"{where}.prefix"),
        packages={name: _text(version, f"{where}.packages.{name}") for name, version in packages.items()},
    )


def _mapping(value: object, where: str, keys: set[str]) -> dict[str, object]:
    if not isinstance(value, dict):
        raise CatalogueError(f"{where} must be a mapping, found {type(value).__name__}")
    if missing := sorted(keys - value.keys()):
        raise CatalogueError(f"{where} lacks {', '.join(missing)}")
    if unknown := sorted(value.keys() - keys):
        raise CatalogueError(f"{where} has unknown keys: {', '.join(unknown)}")
    return value


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise CatalogueError(f"{where} must be a list, found {type(value).__name__}")
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise CatalogueError(f"{where} must be non-empty text on one line, found {value!r}")
    return value


def _name(value: object, where: str) -> str:
    text = _text(value, where)
    if not _NAME.fullmatch(text):
        raise CatalogueError(f"{where} must be letters, digits and . _ + - (64 at most), found {text!r}")
    return text


def _absolute(value: object, where: str) -> str:
    text = _text(value, where)
    path = PurePosixPath(text)
    if not path.is_absolute() or ".." in path.parts:
        raise CatalogueError(f"{where} must be an absolute path without '..', found {text!r}")
    return text


def _date(value: object, where: str) -> dt.date:
    text = _text(value, where)
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise CatalogueError(f"{where} must be a date such as 2026-11-16, found {text!r}") from error


def _distinct(names: list[str], where: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CatalogueError(f"{where} names {', '.join(twice)} more than once")
