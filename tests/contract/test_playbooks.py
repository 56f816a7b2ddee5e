from __future__ import annotations

import json
import os
import re
import subprocess
import sys
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


TOOL = """#!/bin/sh
cat > "$0.stdin"
env > "$0.environment"
echo '{"built": [], "changed": false, "report": []}'
"""


def releases_playbook(place: Path, variables: dict[str, object]) -> subprocess.CompletedProcess[str]:
    """Run it on this machine, as far as nothing is installed."""
    local = {
        "ansible_connection": "local",
        "ansible_become": False,
        "ansible_python_interpreter": sys.executable,
    }
    children: dict[str, object] = {"hub": {"hosts": {"hub.example.org": {}}}}
    hosts = place / "hosts.yml"
    hosts.write_text(
        json.dumps({"all": {"vars": {**local, **variables}, "children": children}}), encoding="utf-8"
    )
    only = ["--tags", "releases_configure"]
    return run("ansible-playbook", "-i", str(hosts), "playbooks/releases.yml", *only)


@pytest.mark.slow
def test_what_the_site_needs_to_download_packages_reaches_the_tool_that_builds_releases(
    tmp_path: Path,
) -> None:
    """The playbook itself, with a tool that tells what it was given."""
    tool = tmp_path / "tool" / "bin" / "berth"
    tool.parent.mkdir(parents=True)
    tool.write_text(TOOL, encoding="utf-8")
    tool.chmod(0o755)
    wanted = {
        "https_proxy": "http://proxy.example.org:3128",
        "no_proxy": "mirror.example.org",
        "RATTLER_AUTH_FILE": "/etc/berth/channels.json",
        "NETRC": "/etc/berth/netrc",
    }
    variables: dict[str, object] = {
        "site_environment": wanted,
        "releases_tool_dir": str(tmp_path / "tool"),
        "releases_root": str(tmp_path / "releases"),
    }
    answer = releases_playbook(tmp_path, variables)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    given = tool.with_name("berth.environment").read_text(encoding="utf-8").splitlines()
    assert [f"{name}={value}" for name, value in wanted.items() if f"{name}={value}" not in given] == []
    told = tool.with_name("berth.stdin").read_text(encoding="utf-8")
    assert json.loads(told)["root"] == str(tmp_path / "releases")


@pytest.mark.slow
@pytest.mark.parametrize(
    "said",
    [
        {"releases_channels": {"conda-forge": "https://berth:s3cr3t@mirror.example.org/conda-forge"}},
        {"releases_channels": {"conda-forge": "https://mirror.example.org/t/s3cr3t/conda-forge"}},
        {"releases_pip_index": "https://berth:s3cr3t@mirror.example.org/simple"},
    ],
    ids=["password", "token", "index"],
)
def test_an_address_of_packages_with_a_secret_is_refused_and_not_repeated(
    tmp_path: Path, said: dict[str, object]
) -> None:
    answer = releases_playbook(tmp_path, said)
    assert answer.returncode != 0
    assert "They hold no password and no token" in " ".join(answer.stdout.replace("\\n", " ").split())
    assert "s3cr3t" not in answer.stdout + answer.stderr
