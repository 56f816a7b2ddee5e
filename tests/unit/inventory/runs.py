"""Runs `ansible-playbook` on many inventories and prints its answers as JSON: {inventory: [code, output]}.

Ansible is imported once and forked for each inventory, two at a time: a run of its own takes a second more.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

import ansible.executor.playbook_executor  # noqa: F401 - loaded here, so that no run has to
from ansible.cli import playbook as command

# What runs load beside that.
for _name in (
    *("connection.local", "connection.ssh", "connection.winrm", "connection.psrp", "shell.powershell"),
    *("callback.default", "callback.junit", "inventory.yaml", "inventory.toml", "strategy.linear"),
):
    importlib.import_module(f"ansible.plugins.{_name}")

AT_A_TIME = 2


def answers(playbook: str, inventories: list[str]) -> dict[str, tuple[int, str]]:
    """Run the playbook on each inventory; return the exit codes and all that was printed."""
    waiting = list(enumerate(inventories))
    running: dict[int, tuple[str, Path]] = {}
    found: dict[str, tuple[int, str]] = {}
    with tempfile.TemporaryDirectory() as directory:
        while waiting or running:
            while waiting and len(running) < AT_A_TIME:
                number, inventory = waiting.pop()
                output = Path(directory, str(number))
                child = os.fork()
                if child == 0:
                    _become(output, ["ansible-playbook", "-i", inventory, playbook])
                running[child] = inventory, output
            ended, status = os.wait()
            inventory, output = running.pop(ended)
            found[inventory] = os.waitstatus_to_exitcode(status), output.read_text(encoding="utf-8")
    return found


def _become(output: Path, arguments: list[str]) -> NoReturn:
    code = 99
    try:
        with output.open("w", encoding="utf-8") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        sys.argv = arguments
        command.main(arguments)
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    json.dump(answers(sys.argv[1], sys.argv[2:]), sys.stdout)
