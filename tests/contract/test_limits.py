from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.project import PLAYBOOKS, ROOT, committed, load, short

if TYPE_CHECKING:
    from pathlib import Path

# What, where, and the lines that it may have at most: it shall be readable in one sitting.
LIMITS = [
    ("files of tasks", "roles/*/tasks/**/*.yml", 120),
    ("handlers", "roles/*/handlers/*.yml", 120),
    ("defaults", "roles/*/defaults/*.yml", 100),
    ("templates", "roles/*/templates/**/*.j2", 100),
    ("playbooks", "playbooks/**/*.yml", 120),
    ("the hub's configuration", "roles/hub/files/jupyterhub_config.py", 15),
    ("modules", "src/berth/**/*.py", 249),
    ("filters", "filter_plugins/*.py", 249),
    ("lookups", "lookup_plugins/*.py", 249),
]
SITE = [path for path in PLAYBOOKS if path.parent.name == "playbooks"]
HOSTS = sorted((ROOT / "inventories").glob("*/hosts.yml"))


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize(("pattern", "limit"), [entry[1:] for entry in LIMITS], ids=[e[0] for e in LIMITS])
def test_files_stay_short(pattern: str, limit: int) -> None:
    files = sorted(ROOT.glob(pattern))
    assert files, f"nothing matches {pattern}: the limit guards nothing"
    assert {short(path): lines(path) for path in files if lines(path) > limit} == {}


def test_site_only_imports_playbooks() -> None:
    plays = load(ROOT / "playbooks/site.yml")
    assert plays
    extra = [key for play in plays for key in play if key not in {"name", "ansible.builtin.import_playbook"}]
    assert extra == []


@pytest.mark.parametrize("playbook", SITE, ids=short)
def test_playbooks_of_the_site_list_roles_and_nothing_else(playbook: Path) -> None:
    if playbook.name == "validate.yml":  # says what is wrong before anything changes: checks are its content
        modules = {key for play in load(playbook) for task in play.get("tasks", []) for key in task}
        assert not modules & {"ansible.builtin.command", "ansible.builtin.shell", "ansible.builtin.copy"}
        return
    # One entry of a role may be named as a task: what has to come after the roles.
    tasks = [
        task
        for play in load(playbook)
        for key in ("tasks", "pre_tasks", "post_tasks")
        for task in play.get(key, [])
    ]
    assert [task for task in tasks if "ansible.builtin.import_role" not in task] == []


@pytest.mark.parametrize("hosts", HOSTS, ids=short)
def test_the_list_of_hosts_holds_no_variables(hosts: Path) -> None:
    waiting = list(load(hosts).values())
    assert waiting
    while waiting:
        group = waiting.pop() or {}
        assert "vars" not in group
        assert [name for name, variables in (group.get("hosts") or {}).items() if variables] == []
        waiting += (group.get("children") or {}).values()


def test_no_file_of_yaml_has_the_other_suffix() -> None:
    assert [short(path) for path in committed() if path.suffix == ".yaml"] == []
