"""Templates of roles as Ansible renders them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).resolve().parents[3]


@cache
def _plugins() -> None:
    init_plugin_loader([])


def rendered(role: str, template: str, **variables: object) -> str:
    """A role's template with its defaults and vars, but for what is given."""
    _plugins()
    loader = DataLoader()
    directory = ROOT / "roles" / role
    known: dict[str, object] = {"ansible_managed": "Ansible managed"}
    for part in ("defaults", "vars"):
        known |= loader.load_from_file(str(directory / part / "main.yml"), trusted_as_template=True)
    source = (directory / "templates" / f"{template}.j2").read_text(encoding="utf-8")
    templar = Templar(loader=loader, variables=known | variables)
    return str(templar.template(trust_as_template(source), overrides={"trim_blocks": True}))
