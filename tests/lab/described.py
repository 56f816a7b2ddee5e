"""What the filters compute from the inventory of the lab under test, as the playbooks see it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import filter_loader, init_plugin_loader
from ansible.template import Templar, trust_as_template
from ansible.vars.manager import VariableManager

from tests.lab.machines import LOGIN, ROOT, lab

if TYPE_CHECKING:
    from collections.abc import Mapping

Row = dict[str, Any]

ROLE = ROOT / "roles" / "slurm_interactive"
ROWS = "{{ __slurm_interactive_rows }}"


@cache
def rows() -> Mapping[str, list[Row]]:
    """Return the rows that the role's templates print: `nodes`, `gres` and `partitions`."""
    init_plugin_loader([])
    filter_loader.add_directory(str(ROOT / "filter_plugins"))
    loader = DataLoader()
    loader.set_basedir(str(ROOT / "playbooks"))
    inventory = InventoryManager(loader=loader, sources=_sources())
    variables = {
        **_mapping(loader, "defaults"),
        **VariableManager(loader=loader, inventory=inventory).get_vars(host=inventory.get_host(LOGIN)),
        **_mapping(loader, "vars"),
    }
    found: dict[str, list[Row]] = Templar(loader=loader, variables=variables).template(
        trust_as_template(ROWS)
    )
    assert found["nodes"], f"the inventory of the lab {lab().kind} describes no nodes"
    return found


def _sources() -> list[str]:
    """Return the inventory of all labs and, where this kind has one, its own: in the order they are given."""
    own = ROOT / "inventories" / f"lab-{lab().kind}"
    return [str(path) for path in (ROOT / "inventories" / "lab", own) if path.is_dir()]


def _mapping(loader: DataLoader, directory: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = loader.load_from_file(
        str(ROLE / directory / "main.yml"), trusted_as_template=True
    )
    return found
