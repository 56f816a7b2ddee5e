from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.contract.project import PLAYBOOKS, ROOT, committed, short

if TYPE_CHECKING:
    from pathlib import Path

INVENTORIES = sorted(path.parent for path in (ROOT / "inventories").glob("*/hosts.yml"))
SCRIPTS = [path for path in committed() if path.read_bytes().startswith(b"#!/bin/sh")]
# What design.md promises to people and to CI.
TARGETS = ["demo", "demo-down", "lint", "unit", "golden", "test", "test-full", "bench", "lock", "clean"]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "LC_ALL": "C.UTF-8"}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=short)
def test_playbook_can_be_read(playbook: Path) -> None:
    answer = run("ansible-playbook", "--syntax-check", "-i", "inventories/lab", short(playbook))
    assert answer.returncode == 0, answer.stderr
    assert "[DEPRECATION WARNING]" not in answer.stderr


@pytest.mark.parametrize("inventory", INVENTORIES, ids=short)
def test_inventory_can_be_read(inventory: Path) -> None:
    # A kind of lab says only what differs from the others, and is read after them.
    before, of_a_kind, _ = short(inventory).partition("lab-")
    first = ["-i", f"{before}lab"] if of_a_kind else []
    answer = run("ansible-inventory", *first, "-i", short(inventory), "--list")
    assert answer.returncode == 0, answer.stderr
    for group in ("slurm_controller", "slurm_database", "interactive_nodes", "hub"):
        assert f'"{group}"' in answer.stdout


@pytest.mark.parametrize("target", TARGETS)
def test_make_knows_what_was_promised(target: str) -> None:
    answer = run("make", "--dry-run", "--no-print-directory", target)
    assert answer.returncode == 0, answer.stderr
    help_text = run("make", "--no-print-directory").stdout
    assert re.search(rf"^  {target} +\w", help_text, re.MULTILINE)


@pytest.mark.parametrize(
    "script",
    [
        path
        for path in committed()
        if path.stat().st_mode & 0o100 and path.read_bytes().startswith(b"#!/bin/sh")
    ],
    ids=short,
)
def test_shell_script_can_be_read_and_stops_at_the_first_failure(script: Path) -> None:
    answer = run("sh", "-n", str(script))
    assert answer.returncode == 0, answer.stderr
    assert re.search(r"^set -e", script.read_text(encoding="utf-8"), re.MULTILINE)
