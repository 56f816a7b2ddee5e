"""After publishing: look whether a release still is what was built, and remove one that is retired."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from berth.releases import catalogue, contents, fields, kernels, manifest, origin, spec
from berth.releases.errors import ReleaseError, told
from berth.releases.publish import INDEX, published
from berth.releases.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from berth.releases.catalogue import Release


def verify(root: Path, names: Sequence[str], specs: Path | None = None) -> Iterator[str]:
    """Check every file of the published releases (or of those named): a line for each that differs.

    The index and the manifests are taken at their word; with `specs` they are held against the locks there.

    Raises ReleaseError where nothing can be said: no index, no such release.
    """
    try:
        releases = catalogue.load(root / INDEX)
        chosen = [catalogue.find(releases, name) for name in names] or releases
    except catalogue.CatalogueError as error:
        raise ReleaseError(str(error)) from error
    for release in chosen:
        environments = {item.name: Path(item.prefix) for item in release.environments}
        conda = Path(release.conda) if release.conda else None
        prefixes = environments | ({spec.CONDA: conda} if conda else {})
        for prefix in prefixes.values():
            try:
                yield from manifest.differences(prefix)
            except ReleaseError as error:
                yield str(error)
        yield from kernels.differences(Path(release.jupyter_path).parents[1])
        yield from _contents(release, environments, conda)
        if specs is not None:
            yield from origin.differences(release, prefixes, specs)


def _contents(release: Release, environments: Mapping[str, Path], conda: Path | None) -> Iterator[str]:
    try:
        written = catalogue.load_contents(release.contents)
        expected = catalogue.parse_contents(contents.document([*environments.items()], conda))
    except catalogue.CatalogueError as error:
        yield str(error)
    except ReleaseError:  # a manifest that cannot be read has been told
        return
    else:
        if written != expected:
            yield f"{release.contents}: is not the list of what the environments hold"


def retire(root: Path, name: str, *, check: bool) -> bool:
    """Remove the files of a release that is not published; say whether there were any.

    Raises ReleaseError while it is published, or where the index cannot be read: then nobody knows.
    """
    try:
        fields.name(name, "the release's name")
    except fields.FieldError as error:
        raise ReleaseError(str(error)) from error
    if name in {release.name for release in published(root)}:
        raise ReleaseError(
            f"release {name} is published: take it out of releases_published, run the playbook, wait until "
            "no session uses it, then retire it"
        )
    if not (root / name).is_dir():
        return False
    if not check:
        store = Store(root)
        with told(f"release {name} cannot be removed"), store.locked():
            shutil.rmtree(root / name)
            store.prune()
    return True
