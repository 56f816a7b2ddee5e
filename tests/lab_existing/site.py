"""What molecule/existing_cluster/foreign.yml left to compare with, and playbooks run as by an admin."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

from tests.lab.machines import ROOT

if TYPE_CHECKING:
    from tests.lab.machines import Machine

VARIABLES = ROOT / "tests/lab_existing/inventory.yml"
DIRECTORY = "/etc/slurm"
REMEMBERED = "/var/tmp/existing"  # noqa: S108 - a place on a machine of the lab
BLOCK = b"""# BEGIN Berth, interactive partition
# Kept by Ansible, role slurm_interactive; playbooks/slurm_remove.yml takes it out.
Include %s
# END Berth, interactive partition
"""
_SURVEY = """
import hashlib, json, os, stat, sys
found = {}
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        path = os.path.join(folder, name)
        status = os.lstat(path)
        with open(path, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        key = os.path.relpath(path, sys.argv[1])
        found[key] = [stat.filemode(status.st_mode), status.st_uid, status.st_gid, digest]
print(json.dumps(found))
"""


def survey(machine: Machine, directory: str) -> dict[str, list[object]]:
    """Mode, owner, group and digest of every file below a directory."""
    found: dict[str, list[object]] = machine.python(_SURVEY, directory)
    return found


def remembered(machine: Machine) -> dict[str, list[object]]:
    """The same of the site's files, as they were before we came."""
    return survey(machine, f"{REMEMBERED}/slurm")


def content(machine: Machine, path: str) -> bytes:
    """The bytes of a file."""
    digits = machine.run("od", "-An", "-v", "-tx1", path)
    return bytes.fromhex(digits)


def theirs_running(login: Machine) -> dict[str, str]:
    """When the jobs of the site that run were started, by id."""
    ids = login.run("cat", f"{REMEMBERED}/jobs").split()
    rows = login.run("squeue", "-h", "-t", "RUNNING", "-j", ",".join(ids), "-o", "%A %S %b").splitlines()
    found = dict(row.split(" ", 1) for row in rows)
    assert sorted(found) == sorted(ids), "a job of the site does not run any more"
    return found


def play(playbook: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a playbook on the lab with the scenario's variables."""
    command = ["ansible-playbook", "-i", "inventories/lab", "-e", f"@{VARIABLES}"]
    # Molecule asks for colours, which would stand between the words.
    plain = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "LC_ALL": "C.UTF-8"}
    environment = {**os.environ, **plain, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    return subprocess.run(
        [*command, f"playbooks/{playbook}.yml", *arguments],
        cwd=ROOT, env=environment, check=False, capture_output=True, text=True,
    )  # fmt: skip


def said(answer: subprocess.CompletedProcess[str]) -> str:
    """What a playbook printed, white space folded, because it breaks lines anywhere."""
    return re.sub(r"\s+", " ", answer.stdout + answer.stderr)
