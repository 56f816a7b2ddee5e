"""What has been published never changes: what a plan may not do to a release that is there, or was."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from berth.releases import contents, manifest
from berth.releases.build import fingerprint
from berth.releases.errors import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from berth.releases.catalogue import Release
    from berth.releases.lock import Lock
    from berth.releases.spec import ReleaseSpec


def locked(directory: Path, wanted: Lock) -> None:
    """Check an environment of a release that is not in the index: its files may be of one that was.

    Sessions that use them may go on, and its name stands for them. Raises ReleaseError.
    """
    if not any(directory.glob(contents.PATTERN)):
        return
    found = list(_built(directory, wanted.name))
    if any(manifest.read(path).lock != fingerprint(wanted) for path in found):
        name = directory.name
        raise ReleaseError(
            f"release {name} was published with another lock of {wanted.name}, and its files are still in "
            f"{directory}: put the old lock back, or `berth release retire {name}` first, or choose a new "
            "name"
        )


def unchanged(release: ReleaseSpec, known: Release) -> None:
    """Check what stands in the index beside the locks; raises ReleaseError.

    A site may leave environments out by its settings; an environment that the spec lost is lost for all.
    """
    if lines := list(_changed(release, known)):
        raise ReleaseError(
            f"release {known.name} is published, and what is published never changes; but "
            f"{', and '.join(lines)}: make a new release (a copy of {known.name} under a new name, with a "
            "new date), or put back what was"
        )


def _changed(release: ReleaseSpec, known: Release) -> Iterator[str]:
    if release.date != known.date:
        yield f"its date was {known.date} and is {release.date} now"
    if known.conda is not None and not release.conda:
        yield "it had a conda of its own and has none now"
    specs = {item.name: item for item in release.environments}
    for old in known.environments:
        new = specs.get(old.name)
        if new is None:
            yield f"the environment {old.name} is not in release.yml any more"
            continue
        for key in ("kernel", "language"):
            if getattr(new, key) != getattr(old, key):
                yield f"{key} of {old.name} was {getattr(old, key)} and is {getattr(new, key)} now"


def _built(directory: Path, environment: str) -> Iterator[Path]:
    """Give the finished prefixes of an environment: those of `python-gpu` are not those of `python`."""
    wanted = re.compile(re.escape(environment) + "-[0-9a-f]{12}")
    for path in sorted(directory.iterdir()):
        if wanted.fullmatch(path.name) and manifest.finished(path):
            yield path
