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
from typing import NoReturn, TextIO

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
    waiting, running, found = list(inventories), dict[int, tuple[str, TextIO]](), {}
    while waiting or running:
        while waiting and len(running) < AT_A_TIME:
            inventory, output = waiting.pop(), tempfile.TemporaryFile("w+")
            child = os.fork()
            if child == 0:
                _become(output.fileno(), ["ansible-playbook", "-i", inventory, playbook])
            running[child] = inventory, output
        ended, status = os.wait()
        inventory, output = running.pop(ended)
        output.seek(0)
        found[inventory] = os.waitstatus_to_exitcode(status), output.read()
        output.close()
    return found


def _become(output: int, arguments: list[str]) -> NoReturn:
    code = 99
    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.argv = arguments
        command.main(arguments)
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    json.dump(answers(sys.argv[1], sorted(str(path) for path in Path(sys.argv[2]).iterdir())), sys.stdout)
