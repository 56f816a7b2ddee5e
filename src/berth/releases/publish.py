"""Publish built releases: check each kernel, write the kernels and the lists, then rename the index.

The index is replaced by a rename, so nobody ever reads half of one; what it names is there before.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from berth.releases import catalogue, contents, kernels, store
from berth.releases.errors import ReleaseError
from berth.releases.probe import probe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from berth.releases.kernels import Kernel
    from berth.releases.settings import Settings, Wanted
    from berth.releases.spec import ReleaseSpec

INDEX: Final = "index.json"


@dataclass(frozen=True)
class Built:
    """A release whose prefixes are finished, and how the site wants it."""

    spec: ReleaseSpec
    wanted: Wanted
    kernels: Sequence[Kernel]
    conda: Path | None

    @property
    def prefixes(self) -> list[Path]:
        """All prefixes of the release, its conda's last."""
        return [kernel.prefix for kernel in self.kernels] + ([self.conda] if self.conda else [])


def published(root: Path) -> tuple[catalogue.Release, ...]:
    """Give what is published below `root`; nothing where there is no index.

    Raises ReleaseError where there is one that cannot be read: what never changes could not be told then.
    """
    path = root / INDEX
    if not os.path.lexists(path):
        return ()
    try:
        return catalogue.load(path)
    except catalogue.CatalogueError as error:
        raise ReleaseError(
            f"{path} cannot be read; restore it, or move it away if nothing is published: {error}"
        ) from error


def publish(settings: Settings, releases: Sequence[Built], scratch: Path | None) -> bool:
    """Publish exactly these releases; say whether anything changes.

    Files are written into `scratch`, then renamed to their places; without it nothing is written.

    Raises ReleaseError, before anything is published, if any of them is not fit.
    """
    known = {release.name: release for release in published(settings.root)}
    for release in releases:
        layer = release.wanted.layer or release.spec.layer
        if not (settings.layers_dir / layer / "bin" / "berth-session").is_file():
            raise ReleaseError(
                f"release {release.spec.name}: its layer {layer} is not in {settings.layers_dir}"
            )
    entries = [_entry(settings, item, known.get(item.spec.name), scratch) for item in releases]
    document = {"version": catalogue.VERSION, "releases": entries}
    try:
        catalogue.parse(document)
    except catalogue.CatalogueError as error:
        raise ReleaseError(f"the releases do not make a valid index: {error}") from error
    texts = [*_texts(settings, releases)]
    texts.append((settings.root / INDEX, json.dumps(document, indent=2, sort_keys=True) + "\n"))
    changed = [(path, text) for path, text in texts if _content(path) != text]
    if scratch is not None:
        for path, text in changed:
            _replace(path, text, scratch)
    return bool(changed)


def _texts(settings: Settings, releases: Sequence[Built]) -> Iterator[tuple[Path, str]]:
    """Give what the index, which comes after it, relies on: lists of packages, and users' conda's settings.

    A list that is there stays: with the prefixes it never changes.
    """
    condarc = yaml.safe_dump(settings.condarc(), sort_keys=True)
    for release in releases:
        listed = contents.place(settings.root / release.spec.name, release.prefixes)
        if not listed.is_file():
            environments = [(kernel.spec.name, kernel.prefix) for kernel in release.kernels]
            yield listed, contents.text(environments, release.conda)
        if release.conda:
            yield release.conda / ".condarc", condarc


def _entry(
    settings: Settings, release: Built, known: catalogue.Release | None, scratch: Path | None
) -> dict[str, Any]:
    directory = settings.root / release.spec.name
    found = kernels.Kernels(release.spec, release.kernels, release.conda, settings.user_site)
    for kernel in release.kernels:
        if known is None or str(kernel.prefix) not in {item.prefix for item in known.environments}:
            probe(found, kernel)
    place = found.write(directory, scratch)
    listed = contents.place(directory, release.prefixes)
    if known is not None and known.contents == str(listed):
        size, files = known.bytes, known.files
    else:
        size, files = store.measure(release.prefixes)
    return {
        "name": release.spec.name,
        "date": release.spec.date.isoformat(),
        "layer": release.wanted.layer or release.spec.layer,
        "environments": [_environment(kernel) for kernel in release.kernels],
        "jupyter_path": str(place / "share" / "jupyter"),
        "conda": str(release.conda) if release.conda else None,
        "ends": release.wanted.ends.isoformat() if release.wanted.ends else None,
        "hidden": release.wanted.hidden,
        "bytes": size,
        "files": files,
        "contents": str(listed),
    }


def _environment(kernel: Kernel) -> dict[str, Any]:
    packages = {name: kernel.lock.version_of(name) for name in kernel.spec.packages}
    if missing := sorted(name for name, version in packages.items() if version is None):
        raise ReleaseError(
            f"{kernel.spec.name}: packages names {', '.join(missing)}, which the lock does not hold"
        )
    return {
        "name": kernel.spec.name,
        "display_name": kernel.display_name,
        "language": kernel.spec.language,
        "kernel": kernel.spec.kernel,
        "prefix": str(kernel.prefix),
        "packages": packages,
    }


def _content(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _replace(path: Path, text: str, scratch: Path) -> None:
    handle, name = tempfile.mkstemp(dir=scratch)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fchmod(file.fileno(), 0o644)
        os.fsync(file.fileno())
    Path(name).replace(path)
