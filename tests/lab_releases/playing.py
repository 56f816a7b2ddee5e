"""`playbooks/releases.yml`, run as an operator runs it, with variables of the site's own."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

from tests.lab.described import _sources
from tests.lab.machines import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping


def play(host: str, variables: Mapping[str, Any], *options: str) -> str:
    """Run the playbook for one host; return its line of the recap. A run that fails fails the test."""
    command = ["ansible-playbook", *(f"--inventory={source}" for source in _sources())]
    arguments = ["--limit", host, "--extra-vars", json.dumps(variables), *options]
    # Molecule asks for colours, which would stand between the words.
    plain = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [*command, "playbooks/releases.yml", *arguments],
        cwd=ROOT, env={**os.environ, **plain, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (recap,) = re.findall(rf"^{re.escape(host)} +: .*$", done.stdout, re.MULTILINE)
    return str(recap)
