"""The commands of docs/operate, run as they stand there."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.lab.blocks import RUNNERS, Block, blocks
from tests.lab.machines import LOGIN, NODES, ROOT, Machine

SECONDS = 300
MARKED = [block for block in blocks() if block.runner in RUNNERS]


def on_the_controller(script: str) -> None:
    """Run a script where the playbooks are, on the lab's inventory."""
    plain = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "LC_ALL": "C.UTF-8"}
    answer = subprocess.run(
        ["sh", "-euc", script.replace("inventories/SITE", "inventories/lab")],
        cwd=ROOT,
        env={**os.environ, **plain, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize("block", MARKED, ids=str)
def test_a_block_of_commands_runs_as_it_stands(block: Block) -> None:
    if block.runner == "site":
        on_the_controller(block.script)
        return
    machine = Machine(LOGIN if block.runner == "hub" else NODES[0])
    machine.shell(f"export PATH=$PATH:/opt/berth-hub/venv/bin HUB={LOGIN}\n{block.script}")
