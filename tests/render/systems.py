"""The systems that roles know: recorded facts, and what a role's vars/ call things there."""

from __future__ import annotations

import json
from typing import Any

from tests.render.conftest import ROOT

DIRECTORY = ROOT / "tests/render/facts"
SYSTEMS = sorted(path.stem for path in DIRECTORY.glob("*.json"))


def facts(system: str) -> dict[str, Any]:
    """Return the facts of a system as the variable that roles read."""
    return {"ansible_facts": json.loads((DIRECTORY / f"{system}.json").read_text(encoding="utf-8"))}


def called(role: str, system: str) -> dict[str, Any]:
    """Return what *role* calls things on *system*: the family's file, then that of the version."""
    from ansible.parsing.dataloader import DataLoader  # noqa: PLC0415 - after the plugins are loaded

    known = facts(system)["ansible_facts"]
    family, version = known["os_family"], known["distribution_major_version"]
    found: dict[str, Any] = {}
    for name in (family, f"{family}-{version}"):
        path = ROOT / "roles" / role / "vars" / f"{name}.yml"
        if path.exists():
            found |= DataLoader().load_from_file(str(path), trusted_as_template=True)
    return found
