"""What changed between two releases: by environment the packages that came, went, or have another version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from berth.releases import lock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from berth.releases.spec import ReleaseSpec

Changes = dict[str, dict[str, Any]]
"""By environment: `added` and `removed` (package to version), `changed` (package to old and new version)."""


def compare(old: ReleaseSpec, new: ReleaseSpec) -> Changes:
    """Compare the locks of two releases; an environment of one only has all its packages added or removed."""
    before, after = _versions(old), _versions(new)
    return {name: _compare(before.get(name, {}), after.get(name, {})) for name in {**after, **before}}


def lines(changes: Changes) -> Iterator[str]:
    """Lay the changes out for people, a line for each package."""
    for environment, change in changes.items():
        yield f"{environment}:" if any(change.values()) else f"{environment}: no change"
        yield from (f"  + {name} {version}" for name, version in change["added"].items())
        yield from (f"  - {name} {version}" for name, version in change["removed"].items())
        yield from (f"    {name} {pair[0]} -> {pair[1]}" for name, pair in change["changed"].items())


def _versions(release: ReleaseSpec) -> dict[str, dict[str, str]]:
    return {name: lock.read(release.lock_path(name)).versions() for name in release.requests()}


def _compare(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, Any]:
    return {
        "added": {name: new[name] for name in sorted(new.keys() - old.keys())},
        "removed": {name: old[name] for name in sorted(old.keys() - new.keys())},
        "changed": {
            name: [old[name], new[name]] for name in sorted(old.keys() & new.keys()) if old[name] != new[name]
        },
    }
