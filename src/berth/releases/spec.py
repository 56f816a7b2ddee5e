"""What people write about a release: `release.yml` and one `<environment>.yml` for each environment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

from berth.releases import fields, lock
from berth.releases.errors import ReleaseError
from berth.releases.fields import FieldError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping
    from pathlib import Path

    from berth.releases.lock import Lock

CONDA: Final = "conda"
"""The name under which a release's own conda is locked and installed; no environment has it."""

VIRTUAL: Final = {"__linux": "4.18", "__glibc": "2.28"}
"""What a node is taken to have where release.yml says nothing: what RHEL 8 has, the oldest of its kind."""


@dataclass(frozen=True)
class EnvironmentSpec:
    """`<environment>.yml`: what an environment is made of, and its kernel.

    `conda` and `pip` are the packages asked for; `kernel` names the kernel's directory; `packages` are
    those that the catalogue names; `modules` are loaded when the kernel starts; `logo` is a file beside
    the spec, or empty for the one that the environment ships.
    """

    name: str
    display_name: str
    language: str
    kernel: str
    conda: tuple[str, ...]
    pip: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    logo: str = ""


@dataclass(frozen=True)
class ReleaseSpec:
    """`release.yml` and the environments that it names, in its order.

    `channels` are names, the first that has a package gives it; `conda` is what the release's own conda
    is made of (empty: it has none); `virtual` are the virtual packages that stand for a node.
    """

    name: str
    directory: Path
    date: dt.date
    layer: str
    channels: tuple[str, ...]
    conda: tuple[str, ...]
    virtual: Mapping[str, str]
    environments: tuple[EnvironmentSpec, ...]

    def lock_path(self, environment: str) -> Path:
        """Give the place of an environment's lock (of the release's conda: `CONDA`)."""
        return self.directory / f"{environment}.lock.json"

    def read_lock(self, environment: str) -> Lock:
        """Read an environment's lock; raises ReleaseError where it is not there, or of another spec."""
        found = lock.read(self.lock_path(environment))
        asked = (self.channels, *self.requests()[environment])
        if (found.channels, found.conda_specs, found.pip_specs) != asked:
            raise ReleaseError(
                f"{self.lock_path(environment)} was made from another spec than what stands beside it: make "
                f"it anew with `berth release lock {self.name}`"
            )
        return found

    def requests(self) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
        """Give what is to be locked: by name the conda and the pip packages asked for."""
        own = {CONDA: (self.conda, ())} if self.conda else {}
        return own | {item.name: (item.conda, item.pip) for item in self.environments}


def load(specs: Path, name: str) -> ReleaseSpec:
    """Read the spec of release `name` below the directory `specs`; raises ReleaseError."""
    directory = specs / name
    try:
        fields.name(name, "the release's name")
        if not (directory / "release.yml").is_file():
            there = ", ".join(sorted(path.parent.name for path in specs.glob("*/release.yml"))) or "none"
            raise ReleaseError(f"there is no release {name} in {specs} (there is: {there})")
        return _release(directory, _document(directory / "release.yml"))
    except FieldError as error:
        raise ReleaseError(f"{directory}: {error}") from error


def _release(directory: Path, document: object) -> ReleaseSpec:
    keys = ("date", "layer", "channels", "environments")
    where = "release.yml"
    item = fields.mapping(document, where, keys, ("conda", "virtual_packages"))
    environments = fields.names(item["environments"], f"{where}: environments")
    if not environments:
        raise FieldError(f"{where}: environments must name at least one environment")
    if CONDA in environments:
        raise FieldError(f"{where}: the name {CONDA} is the release's own conda's; name the environment else")
    loaded = tuple(_environment(directory, name) for name in environments)
    fields.distinct([entry.kernel for entry in loaded], f"{where}: kernels of the environments")
    channels = fields.names(item["channels"], f"{where}: channels")
    if not channels:
        raise FieldError(f"{where}: channels must name at least one channel")
    return ReleaseSpec(
        name=directory.name,
        directory=directory,
        date=fields.date(str(item["date"]), f"{where}: date"),
        layer=fields.name(item["layer"], f"{where}: layer"),
        channels=channels,
        conda=_requests(item.get("conda", []), f"{where}: conda"),
        virtual=VIRTUAL | _virtual(item.get("virtual_packages", {}), f"{where}: virtual_packages"),
        environments=loaded,
    )


def _virtual(value: object, where: str) -> dict[str, str]:
    versions = fields.texts_by_name(value, where)
    return dict(virtual_package(f"{name}={version}") for name, version in versions.items())


def virtual_package(text: str) -> tuple[str, str]:
    """Split `__cuda=12.4` into name and version; raises FieldError."""
    found = re.fullmatch(r"(__[a-z0-9_]+)=([0-9][0-9a-z.]*)", text)
    if found is None:
        raise FieldError(f"a virtual package is written as __cuda=12.4, found {text!r}")
    return found[1], found[2]


def _environment(directory: Path, name: str) -> EnvironmentSpec:
    where = f"{name}.yml"
    optional = ("pip", "packages", "modules", "logo")
    item = fields.mapping(
        _document(directory / where), where, ("display_name", "language", "kernel", "conda"), optional
    )
    logo = fields.maybe_empty(item.get("logo", ""), f"{where}: logo")
    if logo and not (directory / fields.name(logo, f"{where}: logo")).is_file():
        raise FieldError(f"{where}: there is no file {logo} beside it for its logo")
    asked = _requests(item["conda"], f"{where}: conda")
    if not asked:
        raise FieldError(f"{where}: conda must name at least one package")
    return EnvironmentSpec(
        name=name,
        display_name=fields.text(item["display_name"], f"{where}: display_name"),
        language=fields.text(item["language"], f"{where}: language"),
        kernel=fields.name(item["kernel"], f"{where}: kernel"),
        conda=asked,
        pip=_requests(item.get("pip", []), f"{where}: pip"),
        packages=fields.texts(item.get("packages", []), f"{where}: packages"),
        modules=fields.texts(item.get("modules", []), f"{where}: modules"),
        logo=logo,
    )


def _requests(value: object, where: str) -> tuple[str, ...]:
    """Give packages that are asked for; they stand in the lock and in the environment."""
    found = fields.texts(value, where)
    return tuple(fields.public(entry, f"{where}[{number}]") for number, entry in enumerate(found))


def _document(path: Path) -> Any:  # noqa: ANN401 - decoded YAML
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ReleaseError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
