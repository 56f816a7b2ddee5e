"""The command `berth` finds its groups, and says what it cannot do."""

from __future__ import annotations

import subprocess
import sys

import pytest

from berth import __main__ as command
from tests.unit.releases.conftest import ENVIRONMENT


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    whole = [sys.executable, "-m", "berth", *arguments]
    return subprocess.run(whole, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def test_the_groups_and_their_commands_are_listed() -> None:
    assert "release" in run("--help").stdout
    said = run("release", "--help").stdout
    assert [name for name in ("lock", "build", "verify", "diff", "list", "retire") if name not in said] == []


@pytest.mark.parametrize("group", [name for name in command.GROUPS if " " not in name])
def test_the_list_of_groups_says_of_each_what_its_own_help_says(group: str) -> None:
    listed = run("--help").stdout.partition(f"\n    {group}")[2]
    about = listed.strip().partition("\n")[0]  # argparse puts it below a long name
    assert f"\n{about[0].upper()}{about[1:]}.\n" in run(group, "--help").stdout


def test_who_removes_a_release_is_told_that_nobody_asks_for_sessions() -> None:
    said = " ".join(run("release", "retire", "--help").stdout.split())
    assert "Slurm is not asked whether sessions still use it" in said


@pytest.mark.parametrize("arguments", [(), ("nonsense",), ("release",), ("release", "nonsense")])
def test_what_is_no_command_is_refused_with_what_there_is(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: berth" in done.stderr


def test_a_group_whose_packages_are_elsewhere_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rattler", None)
    for name in [name for name in sys.modules if name.startswith("berth.releases")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(SystemExit, match="berth release needs rattler, which this environment does not have"):
        command.main(["release", "list"])
