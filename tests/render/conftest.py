"""Templates of roles, rendered by Ansible's own engine and compared with golden files.

`make golden` writes the golden files anew; the diff of the commit then shows what a change does to the
files on a machine.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import filter_loader, init_plugin_loader
from ansible.template import Templar, trust_as_template
from ansible.vars.manager import VariableManager

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).resolve().parent / "golden"
UPDATE = "BERTH_UPDATE_GOLDEN"


class Site:
    """An inventory, as the playbooks see it."""

    def __init__(self, inventory: Path) -> None:
        self.name = inventory.name
        self._loader = DataLoader()
        self._loader.set_basedir(str(ROOT / "playbooks"))
        self._inventory = InventoryManager(loader=self._loader, sources=[str(inventory)])
        self._manager = VariableManager(loader=self._loader, inventory=self._inventory)

    def render(self, template: str, host: str, **more: object) -> str:
        """Return *template* (`ROLE/NAME`) as on *host*; *more* stands for registered variables."""
        role, _, name = template.partition("/")
        source = ROOT / "roles" / role / "templates" / f"{name}.j2"
        # the same as module template: the first line break after a block goes, the last one stays
        rendered: str = self._templar(role, host, more).template(
            trust_as_template(source.read_text(encoding="utf-8")),
            escape_backslashes=False,
            overrides={"trim_blocks": True, "lstrip_blocks": False},
        )
        return str(rendered)

    def value(self, role: str, expression: str, host: str, **more: object) -> object:
        """Return the value of a template's *expression* in *role* on *host*."""
        return self._templar(role, host, more).template(trust_as_template(f"{{{{ {expression} }}}}"))

    def _templar(self, role: str, host: str, more: dict[str, object]) -> Templar:
        """Return the engine with the variables of *role* on *host*."""
        directory = ROOT / "roles" / role
        variables = {
            "ansible_managed": "Ansible managed",
            **self._mapping(directory / "defaults" / "main.yml"),
            **self._manager.get_vars(host=self._inventory.get_host(host)),
            **self._mapping(directory / "vars" / "main.yml"),
            **more,
        }
        return Templar(loader=self._loader, variables=variables)

    def _mapping(self, path: Path) -> dict[str, Any]:
        """Return the variables of a role's file."""
        if not path.exists():
            return {}
        found: dict[str, Any] = self._loader.load_from_file(str(path), trusted_as_template=True)
        return found


@pytest.fixture(scope="session")
def site() -> Callable[[str], Site]:
    """Return a function from the path of an inventory, below the repository, to its `Site`."""
    init_plugin_loader([])
    filter_loader.add_directory(str(ROOT / "filter_plugins"))
    made: dict[str, Site] = {}
    return lambda path: made.setdefault(path, Site(ROOT / path))


@pytest.fixture(scope="session")
def golden() -> Callable[[str, str], None]:
    """Return a function that compares a text with the golden file of that name, or writes it anew."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if os.environ.get(UPDATE):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{path.relative_to(ROOT)} is missing: run `make golden` and read it"
        assert text == path.read_text(encoding="utf-8"), "run `make golden` and read the diff"

    return compare
