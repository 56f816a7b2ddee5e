"""Berth's own playbooks, run on the lab as its operator does."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.lab.machines import ROOT, lab

if TYPE_CHECKING:
    from collections.abc import Mapping


class Run:
    """A run of a playbook that is over."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        """Take what it printed; white space is folded, because Ansible breaks lines anywhere."""
        self.status = done.returncode
        self.said = re.sub(r"\s+", " ", done.stdout + done.stderr)
        self._recap = re.findall(r"^(\S+) +: .*?changed=(\d+)", done.stdout, re.MULTILINE)

    @property
    def changes(self) -> dict[str, int]:
        """How many tasks changed something, by host."""
        return {host: int(count) for host, count in self._recap}


def attempt(
    playbook: str, variables: Mapping[str, Any] | None = None, *options: str, checkout: Path = ROOT
) -> Run:
    """Run a playbook, of this checkout unless another one is given, on this lab; whatever comes of it."""
    sources = [ROOT / "inventories/lab", *filter(Path.exists, [ROOT / f"inventories/lab-{lab().kind}"])]
    inventories = [f"--inventory={source}" for source in sources]
    # Molecule asks for colours, which would stand between the words.
    plain = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "LC_ALL": "C.UTF-8", "BERTH_LAB": lab().kind}
    environment = {**os.environ, **plain, "ANSIBLE_CONFIG": str(checkout / "ansible.cfg")}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as given:  # secrets stand in no argument
        json.dump(variables or {}, given)
        given.flush()
        command = [
            "ansible-playbook",
            *inventories,
            f"--extra-vars=@{given.name}",
            f"playbooks/{playbook}.yml",
        ]
        done = subprocess.run(
            [*command, *options], cwd=checkout, env=environment, check=False, capture_output=True, text=True
        )
    return Run(done)


def play(
    playbook: str, variables: Mapping[str, Any] | None = None, *options: str, checkout: Path = ROOT
) -> Run:
    """The same; a run that fails fails the test."""
    run = attempt(playbook, variables, *options, checkout=checkout)
    assert run.status == 0, run.said[-6000:]
    return run
