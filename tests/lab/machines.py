"""The machines of the lab under test, and commands on them as root or as a user."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import testinfra
import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "build" / "test-results"
LOGIN = "login"


class CommandError(AssertionError):
    """A command on a machine failed; says which, where, and what it wrote."""


@dataclass(frozen=True)
class Lab:
    """One kind of lab, as its inventories describe it: `demo`, `test` or `mixed`."""

    kind: str
    prefix: str
    port: int
    state_dir: Path
    variables: Mapping[str, Any]
    """What its group_vars/all say, without the variables in them replaced."""

    @property
    def url(self) -> str:
        """What users open, without a slash at the end."""
        return f"https://127.0.0.1:{self.port}"

    def passwords(self) -> dict[str, str]:
        """The generated passwords of the users."""
        document: dict[str, str] = json.loads((self.state_dir / "users.json").read_text(encoding="utf-8"))
        return document


@cache
def lab() -> Lab:
    """The lab that BERTH_LAB chooses: `demo` unless it says otherwise.

    A kind with an inventory of its own, `lab-KIND`, has it read after that of all labs, as Ansible does.
    """
    kind = os.environ.get("BERTH_LAB") or "demo"
    own = ROOT / f"inventories/lab-{kind}"
    variables: dict[str, Any] = {}
    for inventory in (ROOT / "inventories/lab", own):
        for path in sorted(inventory.glob("group_vars/all/*.yml")):
            variables |= yaml.safe_load(path.read_text(encoding="utf-8"))
    described = variables["lab_kinds"][kind]
    return Lab(kind, described["prefix"], described["port"], ROOT / described["state"], variables)


NODES: tuple[str, ...] = tuple(node["name"] for node in lab().variables["slurm_interactive_nodes"])
"""Names of the compute nodes. What they have is in tests/lab/cluster.py."""


class Machine:
    """One machine of the lab."""

    def __init__(self, name: str) -> None:
        """Name it as the lab does: `login`, `gpu1`, `gpu2`."""
        self.name = name
        self.container = f"{lab().prefix}-{name}"
        self.host: Any = testinfra.get_host(f"docker://{self.container}")

    def _as(self, user: str) -> Any:
        return testinfra.get_host(f"docker://{user}@{self.container}") if user != "root" else self.host

    def attempt(self, *argv: str, user: str = "root") -> Any:
        """Run a command and return its result (`rc`, `stdout`, `stderr`), whatever it is."""
        return self._as(user).run(" ".join(["%s"] * len(argv)), *argv)

    def run(self, *argv: str, user: str = "root") -> str:
        """Run a command that has to succeed; return what it printed, without white space at the ends."""
        result = self.attempt(*argv, user=user)
        if result.rc != 0:
            message = (
                f"{self.name}: {' '.join(argv)} (as {user}) gave {result.rc}:\n{result.stdout}{result.stderr}"
            )
            raise CommandError(message)
        return str(result.stdout).strip()

    def shell(self, script: str, user: str = "root") -> str:
        """Run a script of sh that has to succeed."""
        return self.run("sh", "-euc", script, user=user)

    def python(self, script: str, *arguments: str, user: str = "root") -> Any:
        """Run a script of the system's Python; return the JSON document that it prints."""
        return json.loads(self.run("python3", "-c", script, *arguments, user=user))

    def environment_of(self, pid: int) -> dict[str, str]:
        """The environment with which a process was started."""
        script = "import sys, json; print(json.dumps(open('/proc/' + sys.argv[1] + '/environ').read()))"
        text: str = self.python(script, str(pid))
        return dict(item.split("=", 1) for item in text.split("\0") if "=" in item)

    def property(self, unit: str, name: str) -> str:
        """The effective value of a unit's property."""
        return self.run("systemctl", "show", "--value", "--property", name, unit)

    def journal(self, since: str, *units: str) -> str:
        """The journal of units (patterns allowed), or the whole one."""
        selected = [f"--unit={unit}" for unit in units]
        return self.run("journalctl", "--no-pager", "--output=short-precise", f"--since={since}", *selected)
