"""The releases that the lab under test has, read from the index as it is published."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.lab.machines import LOGIN, Machine

INDEX = "/opt/berth/releases/index.json"


def ordered() -> list[dict[str, Any]]:
    """The releases, oldest first."""
    releases: list[dict[str, Any]] = json.loads(Machine(LOGIN).run("cat", INDEX))["releases"]
    return sorted(releases, key=lambda release: str(release["date"]))


def newest_python() -> str:
    """What the launcher calls the Python of the newest release."""
    (name,) = [item["display_name"] for item in ordered()[-1]["environments"] if item["name"] == "python"]
    return str(name)


def python_prefix(release: str) -> str:
    """Where the index says that a release has its Python."""
    (found,) = [entry for entry in ordered() if entry["name"] == release]
    (prefix,) = [item["prefix"] for item in found["environments"] if item["name"] == "python"]
    return str(prefix)


def with_conda() -> dict[str, str]:
    """Prefixes of the releases' condas by release, oldest first."""
    return {release["name"]: release["conda"] for release in ordered() if release["conda"]}


def two_with_conda() -> list[tuple[str, str]]:
    """The oldest and the newest release with a conda; fails where there are not two."""
    found = list(with_conda().items())
    if len(found) < 2:
        pytest.fail(
            f"the lab must have two releases with a conda, and has {found}: run playbooks/releases.yml"
        )
    return [found[0], found[-1]]
