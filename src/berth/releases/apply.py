"""Bring a site's releases to what its settings say: build what is not there, then publish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from berth.releases import guard, manifest, spec
from berth.releases.build import build, fingerprint, prefix_of
from berth.releases.errors import ReleaseError, told
from berth.releases.kernels import Kernel
from berth.releases.publish import Built, publish, published
from berth.releases.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from berth.releases.catalogue import Release
    from berth.releases.lock import Lock
    from berth.releases.settings import Settings, Wanted
    from berth.releases.spec import ReleaseSpec


@dataclass(frozen=True)
class Outcome:
    """What happened, or with a check would happen: prefixes that were built, and whether anything changed.

    `notes` are sentences that people should read.
    """

    built: tuple[str, ...]
    changed: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Plan:
    spec: ReleaseSpec
    wanted: Wanted
    parts: tuple[tuple[Lock, Path], ...]
    """Lock and prefix of each environment, and of the release's conda first."""

    def done(self) -> Built:
        specs = {item.name: item for item in self.spec.environments}
        places = {locked.name: (locked, prefix) for locked, prefix in self.parts}
        conda = places.pop(spec.CONDA, None)
        kernels = [Kernel(specs[name], locked, prefix) for name, (locked, prefix) in places.items()]
        return Built(self.spec, self.wanted, kernels, conda[1] if conda else None)


def apply(settings: Settings, *, check: bool) -> Outcome:
    """Build and publish; with `check` write nothing and say what would be built. Raises ReleaseError."""
    if check:
        plans = _plans(settings)
        missing = tuple(_missing(plans))
        built = [] if missing else [plan.done() for plan in plans]
        changed = bool(missing) or publish(settings, built, None)
        return Outcome(missing, changed)
    store = Store(settings.root)
    with told(f"{settings.root}: the releases cannot be built"), store.locked():
        plans = _plans(settings)
        missing = tuple(_missing(plans))
        for plan in plans:
            for locked, prefix in plan.parts:
                if not manifest.finished(prefix):
                    build(locked, prefix, settings, store)
        changed = publish(settings, [plan.done() for plan in plans], store.new)
    return Outcome(missing, bool(missing) or changed, store.notes())


def _plans(settings: Settings) -> list[_Plan]:
    known = {release.name: release for release in published(settings.root)}
    return [_plan(settings, wanted, known.get(wanted.name)) for wanted in settings.releases]


def _missing(plans: Sequence[_Plan]) -> Iterator[str]:
    for plan in plans:
        yield from (str(prefix) for _, prefix in plan.parts if not manifest.finished(prefix))


def _plan(settings: Settings, wanted: Wanted, known: Release | None) -> _Plan:
    release = spec.load(settings.specs_dir, wanted.name)
    names = [item.name for item in release.environments]
    if unknown := sorted(set(wanted.environments or ()) - set(names)):
        raise ReleaseError(f"release {release.name} has no environment {', '.join(unknown)}")
    chosen = [name for name in names if wanted.environments is None or name in wanted.environments]
    if not chosen:
        raise ReleaseError(f"release {release.name}: no environment of it is wanted; name one at least")
    if known is not None:
        guard.unchanged(release, known)
    parts = []
    for name in [spec.CONDA, *chosen] if release.conda else chosen:
        locked = release.read_lock(name)
        parts.append((locked, _prefix(settings.root / release.name, locked, known)))
    return _Plan(release, wanted, tuple(parts))


def _prefix(directory: Path, locked: Lock, known: Release | None) -> Path:
    """Give the place of an environment; raises ReleaseError where another lock of it is published, or was."""
    prefix = prefix_of(directory, locked)
    places = {item.name: directory / item.prefix for item in known.environments} if known else {}
    if known is not None and known.conda is not None:
        places[spec.CONDA] = directory / known.conda
    there = places.get(locked.name)
    if known is None or there is None:
        guard.locked(directory, locked)
        return prefix
    if there == prefix:
        return prefix
    if manifest.read(there).lock == fingerprint(locked):
        return there  # built by an older version of this tool: it stays as it is
    raise ReleaseError(
        f"release {known.name} is published with another lock of {locked.name}, and what is published never "
        f"changes: make a new release (a copy of {known.name} under a new name, with a new date), or put "
        "the old lock back"
    )
