"""`berth doctor` on the lab's machines, and its playbook, as an operator runs them."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from typing import TYPE_CHECKING, Any

from tests.lab.machines import LOGIN, ROOT, lab

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.lab.machines import Machine

BERTH = ("/opt/berth-hub/venv/bin/berth",)
LAYER = "/opt/berth/layers/4.6-2"


def doctor(machine: Machine, *options: str, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Run the command, on a node by the session layer; return its JSON, whose verdict is its exit code."""
    program = BERTH if machine.name == LOGIN else (f"{LAYER}/bin/python", "-I", "-m", "berth")
    command = shlex.join([*program, "doctor", "--json", *options])
    if given is not None:
        command = f"printf %s {shlex.quote(json.dumps(given))} | {command} --given -"
    answer = machine.attempt("sh", "-c", command)
    document: dict[str, Any] = json.loads(answer.stdout)
    assert answer.rc == (0 if document["ok"] else 1)
    return document


def said(document: Mapping[str, Any]) -> str:
    """The lines that people would read."""
    return "\n".join(item["line"] for item in document["findings"])


def inventory() -> dict[str, Any]:
    """What the lab's inventory says of the partition, as the playbook gives it."""
    variables = lab().variables
    return {
        "partition": "interactive",
        "nodes": variables["slurm_interactive_nodes"],
        "shared_by": variables["slurm_interactive_shared_by"],
        "max_time": variables["slurm_interactive_max_time"],
        "default_time": "01:00:00",
        "limits": variables["slurm_interactive_limits"],
        "limits_qos": "berth_interactive",
        "confinement": variables["slurm_interactive_cgroup_config"],
    }


def playbook(*options: str) -> subprocess.CompletedProcess[str]:
    """Run playbooks/doctor.yml on the lab."""
    command = ["ansible-playbook", "-i", "inventories/lab", "playbooks/doctor.yml", *options]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    return subprocess.run(
        command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True, timeout=600
    )
