"""What the roles take: their argument specifications, and the groups that the playbooks apply them to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Role:
    """One role: its variables by name, each as `meta/argument_specs.yml` describes it."""

    name: str
    directory: str
    options: Mapping[str, Mapping[str, Any]]
    groups: tuple[str, ...]
    """Groups whose hosts a playbook applies the role to; none for a role that only others apply."""

    def home(self, inventory: str) -> str:
        """Return the file of *inventory* where the role's variables belong."""
        group = self.groups[0] if len(self.groups) == 1 else "all"
        return f"{inventory}/group_vars/{group}/{self.name}.yml"


def load(root: Path) -> dict[str, Role]:
    """Read the roles and playbooks of the repository at *root*."""
    groups: dict[str, tuple[str, ...]] = {}
    for playbook in sorted((root / "playbooks").glob("*.yml")):
        for name, pattern in _applied(playbook):
            groups[name] = tuple(dict.fromkeys((*groups.get(name, ()), *re.split("[:,]", pattern))))
    found: dict[str, Role] = {}
    for path in sorted((root / "roles").glob("*/meta/argument_specs.yml")):
        directory = path.parents[1]
        specs = _read(path)["argument_specs"]
        options = specs["main"].get("options", {})
        found[directory.name] = Role(directory.name, str(directory), options, groups.get(directory.name, ()))
    return found


def _applied(playbook: Path) -> Iterator[tuple[str, str]]:
    """Yield each role that a playbook lists, with the pattern of its hosts."""
    for play in _read(playbook):
        for role in play.get("roles", []):
            yield (role if isinstance(role, str) else role["role"]), str(play["hosts"])


def _read(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    # The loader in C, where PyYAML has it, takes a tenth of the time.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - both are safe
