from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
PLAYBOOK = "playbooks/validate.yml"
WRONG: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "wrong.yml").read_text(encoding="utf-8"))
GOOD = (
    "inventories/example",
    "inventories/lab",
    "tests/render/inventories/mixed",
    "tests/unit/inventory/site",
)
LOCKED = {
    "inventories/example": "group_vars/hub/releases.yml",
    "inventories/lab": "group_vars/all/specs.yml",
}
"""Inventories whose releases the test locks, and where it says so."""
SAID = re.compile(
    r"^    msg: \|-\n {8}Nothing was changed\. To correct first:\n(?P<lines>(?: {8}.*\n)+)", re.MULTILINE
)
ENVIRONMENT = {
    **os.environ,
    "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
    "ANSIBLE_INVENTORY_ENABLED": "yaml",  # loading the other kinds takes longer than the check
    "LC_ALL": "C.UTF-8",
}


def changed(directory: Path, change: dict[str, Any]) -> None:
    """Make the good site wrong."""
    shutil.copytree(HERE / "site", directory)
    file = directory / change["file"]
    file.parent.mkdir(parents=True, exist_ok=True)
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    if "change" in change:
        old, new = change["change"]
        assert old in text, "the site has changed, the wrong inventory has to follow"
        text = text.replace(old, new, 1)
    file.write_text(change.get("content", text + change.get("add", "")), encoding="utf-8")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["ansible-playbook", *arguments]
    return subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, check=False, capture_output=True, text=True)


@pytest.fixture(scope="session")
def inventories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """All wrong inventories, and a site that joins a Slurm of its own."""
    top = tmp_path_factory.mktemp("inventories")
    made = {name: top / str(number) for number, name in enumerate(WRONG)}
    for name, directory in made.items():
        changed(directory, WRONG[name])
    joining = top / "joining"
    changed(
        joining,
        {"file": "group_vars/all/slurm_interactive.yml", "change": ["existing: false", "existing: true"]},
    )
    changed_hosts = (joining / "hosts.yml").read_text(encoding="utf-8")
    database = "    slurm_database:\n      hosts:\n        slurm.example.org:\n"
    assert database in changed_hosts
    (joining / "hosts.yml").write_text(changed_hosts.replace(database, ""), encoding="utf-8")
    (joining / "group_vars/all/slurm_cluster.yml").unlink()
    # The releases of these two have no locks until a site, or the start of the lab, makes them.
    specs = top / "specs"
    for release in ("2026.05", "2026.11"):
        shutil.copytree(HERE / "specs" / "2026.11", specs / release)
    good = {name: ROOT / name for name in GOOD}
    for name, place in LOCKED.items():
        good[name] = top / name
        shutil.copytree(ROOT / name, good[name])
        with (good[name] / place).open("a", encoding="utf-8") as file:
            file.write(f"releases_specs_dir: {specs}\n")
    return {**made, "joining": joining, **good}


@pytest.fixture(scope="session")
def answers(inventories: dict[str, Path]) -> dict[str, tuple[int, str]]:
    """What the real playbook answers: exit code and output, the inventory's own path taken away."""
    command = [sys.executable, str(HERE / "runs.py"), PLAYBOOK, *map(str, inventories.values())]
    run = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, check=True, capture_output=True, text=True)
    found = json.loads(run.stdout)
    return {
        name: (found[str(path)][0], found[str(path)][1].replace(f"{path}/", ""))
        for name, path in inventories.items()
    }


def test_there_are_many_wrong_inventories() -> None:
    assert len(WRONG) > 80


@pytest.mark.slow
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_inventory_is_told_where_it_is_wrong_and_what_to_write(
    answers: dict[str, tuple[int, str]], name: str
) -> None:
    code, output = answers[name]
    said = SAID.search(output)
    assert said, output
    assert [line[8:] for line in said["lines"].splitlines()] == WRONG[name]["says"]
    assert code == 2
    assert "PLAY [Validate by the roles]" not in output, "nothing follows a mistake"


@pytest.mark.slow
@pytest.mark.parametrize("name", [*GOOD, "joining"])
def test_a_good_inventory_passes(answers: dict[str, tuple[int, str]], name: str) -> None:
    code, output = answers[name]
    assert code == 0, output
    assert "WARNING" not in output


def test_nothing_is_contacted_and_nothing_follows_a_mistake(
    tmp_path: Path, inventories: dict[str, Path]
) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text(f"#!/bin/sh\ntouch {tmp_path}/contacted\nexit 1\n", encoding="utf-8")
    ssh.chmod(0o755)
    reach = ("-e", f"ansible_ssh_executable={ssh}", "-e", "ansible_connection=ssh")
    good = run(*reach, "-i", str(HERE / "site"), PLAYBOOK)
    assert good.returncode == 0, good.stdout
    wrong = run(*reach, "-i", str(inventories["a time without quotes"]), "playbooks/site.yml")
    assert wrong.returncode == 2
    assert wrong.stdout.count("PLAY [") == 1, "site.yml stops before it changes anything"
    assert not (tmp_path / "contacted").exists()


def test_variables_of_the_command_line_are_checked_on_whatever_host_the_run_is_limited_to() -> None:
    answer = run("-i", "inventories/example", "--limit", "gpu02*", "-e", "hub_http_prot=8080", PLAYBOOK)
    assert answer.returncode == 2
    said = "<CLI option '-e'>: hub_http_prot is not a variable of role hub. Write hub_http_port."
    assert said in answer.stdout
