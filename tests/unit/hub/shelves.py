"""Releases with full lists of packages, as they would be published."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from berth.releases.catalogue import Environment, Package, Release
from tests.unit.hub.factories import RELEASE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PACKAGE = Package("numpy", "2.1.3", "py313h0_0", "conda-forge", "BSD-3-Clause", 7_340_032)
PYTHON = Environment(
    "python", "Python 3.13", "python", "python3", "/opt/berth/p", {"python": "3.13.5", "numpy": "2.1.3"}
)
R = Environment("r", "R 4.3", "R", "ir", "/opt/berth/r", {"r-base": "4.3.3"})
HOSTILE = "<script>alert('x')</script>&\"'"


def package(name: str, version: str = "1.0", **changes: Any) -> Package:
    return replace(PACKAGE, name=name, version=version, **changes)


def release(name: str, date: str = "2026-11-16", **changes: Any) -> Release:
    base = replace(RELEASE, name=name, date=dt.date.fromisoformat(date), environments=(PYTHON, R))
    return replace(base, **changes)


def filled(
    place: Path,
    item: Release,
    packages: Mapping[str, Sequence[Package]],
    conda: Sequence[Package] | None = None,
) -> Release:
    """Write the full list of a release, and return the release that names it."""
    path = place / f"contents-{item.name}.json"
    document = {
        "environments": [
            {"name": name, "packages": [asdict(entry) for entry in entries]}
            for name, entries in packages.items()
        ],
        "conda": None if conda is None else {"name": "conda", "packages": [asdict(item) for item in conda]},
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return replace(item, contents=str(path))


def entry(item: Release) -> dict[str, Any]:
    """Return a release as the index has it."""
    ends = None if item.ends is None else item.ends.isoformat()
    return {**asdict(item), "date": item.date.isoformat(), "ends": ends}


def published(place: Path, *items: Release) -> Path:
    """Write an index with these releases; its path."""
    path = place / "index.json"
    document = {"version": 2, "releases": [entry(item) for item in items]}
    path.write_text(json.dumps(document), encoding="utf-8")
    return path
