"""The lock of one environment: every package by its hash. What is built is what stands here, no more."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from berth.releases import fields
from berth.releases.errors import ReleaseError
from berth.releases.fields import FieldError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

VERSION: Final = 1
_SHA256: Final = re.compile("[0-9a-f]{64}")
_FILE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+!-]*\.(?:conda|tar\.bz2)")
_SUBDIR: Final = re.compile("[a-z0-9-]+")


@dataclass(frozen=True)
class CondaPackage:
    """A conda package: where it is in its channel, its hash, and what conda must know about it."""

    name: str
    version: str
    build: str
    build_number: int
    channel: str
    subdir: str
    file: str
    sha256: str
    size: int
    license: str
    noarch: str
    site_packages: str
    depends: tuple[str, ...]
    constrains: tuple[str, ...]


@dataclass(frozen=True)
class PipPackage:
    """A package from the Python package index: any of the files with these hashes is it."""

    name: str
    version: str
    hashes: tuple[str, ...]


@dataclass(frozen=True)
class Lock:
    """What an environment consists of, and from what it was solved.

    `channels`, `conda_specs` and `pip_specs` are what was asked; a spec that asks otherwise needs a new lock.
    `virtual` is what nodes were taken to have: nobody compares it, `--virtual` may override the spec's.
    """

    name: str
    channels: tuple[str, ...]
    conda_specs: tuple[str, ...]
    pip_specs: tuple[str, ...]
    virtual: Mapping[str, str]
    conda: tuple[CondaPackage, ...]
    pip: tuple[PipPackage, ...]

    def text(self) -> str:
        """Give the lock as it is written: the same for the same content, one line for each fact."""
        return json.dumps({"version": VERSION, **asdict(self)}, indent=1, ensure_ascii=False) + "\n"

    def digest(self, build_format: int) -> str:
        """Give the short digest that names the prefix: of the content, and of how it is built."""
        return hashlib.sha256(f"{build_format}\n{self.text()}".encode()).hexdigest()[:12]

    def version_of(self, package: str) -> str | None:
        """Give the version of a package, of conda's before pip's; None where it is not there."""
        return self.versions().get(package)

    def versions(self) -> dict[str, str]:
        """Give the version of every package."""
        of_pip = {entry.name: entry.version for entry in self.pip}
        return of_pip | {entry.name: entry.version for entry in self.conda}


def read(path: Path) -> Lock:
    """Read a lock; raises ReleaseError with what is wrong and how a lock is made."""
    release = path.parent.name
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ReleaseError(f"{path} is not there: make it with `berth release lock {release}`") from error
    except (OSError, ValueError) as error:
        raise ReleaseError(f"{path} cannot be read: {error}") from error
    try:
        return _lock(document)
    except FieldError as error:
        raise ReleaseError(f"{path} is not a lock: {error}") from error


def _lock(document: object) -> Lock:
    item = fields.mapping(document, "it", {"version", *Lock.__dataclass_fields__})
    if item["version"] != VERSION:
        raise FieldError(f"version must be {VERSION}, found {item['version']!r}")
    conda = [_conda(*entry) for entry in fields.items(item["conda"], "conda")]
    pip = [_pip(*entry) for entry in fields.items(item["pip"], "pip")]
    fields.distinct([entry.name for entry in conda], "conda")
    fields.distinct([entry.name for entry in pip], "pip")
    return Lock(
        name=fields.name(item["name"], "name"),
        channels=fields.names(item["channels"], "channels"),
        conda_specs=fields.texts(item["conda_specs"], "conda_specs"),
        pip_specs=fields.texts(item["pip_specs"], "pip_specs"),
        virtual=fields.texts_by_name(item["virtual"], "virtual"),
        conda=tuple(conda),
        pip=tuple(pip),
    )


def _conda(value: object, where: str) -> CondaPackage:
    item = fields.entry(value, where, CondaPackage.__dataclass_fields__)
    return CondaPackage(
        name=item.read("name", fields.text),
        version=item.read("version", fields.text),
        build=item.read("build", fields.text),
        build_number=item.read("build_number", fields.count),
        channel=item.read("channel", fields.name),
        subdir=item.read("subdir", _like(_SUBDIR)),
        file=item.read("file", _like(_FILE)),
        sha256=item.read("sha256", _like(_SHA256)),
        size=item.read("size", fields.count),
        license=item.read("license", fields.maybe_empty),
        noarch=item.read("noarch", fields.maybe_empty),
        site_packages=item.read("site_packages", fields.maybe_empty),
        depends=item.read("depends", fields.texts),
        constrains=item.read("constrains", fields.texts),
    )


def _pip(value: object, where: str) -> PipPackage:
    item = fields.entry(value, where, PipPackage.__dataclass_fields__)
    return PipPackage(
        name=item.read("name", fields.name),
        version=item.read("version", fields.text),
        hashes=item.read("hashes", _hashes),
    )


def _hashes(value: object, where: str) -> tuple[str, ...]:
    check = _like(_SHA256)
    hashes = tuple(check(*entry) for entry in fields.items(value, where))
    if not hashes:
        raise FieldError(f"{where} must name at least one")
    return hashes


def _like(pattern: re.Pattern[str]) -> Callable[[object, str], str]:
    def check(value: object, where: str) -> str:
        text = fields.text(value, where)
        if not pattern.fullmatch(text):
            raise FieldError(f"{where} is not what it should be: {text!r}")
        return text

    return check
