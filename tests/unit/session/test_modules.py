"""The profile of kernels and terminals: `module` from where the site says, in scripts, at no cost."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.session.rendered import rendered

if TYPE_CHECKING:
    from pathlib import Path

INIT = """
echo "read" >> {count}
echo "noise of the set-up"
module() {{ echo "module $*"; }}
_module_raw() {{ :; }}
export MODULEPATH=/site/modules BASH_ENV=/usr/share/other/init
"""


class Profile:
    def __init__(self, root: Path) -> None:
        self.etc = root
        self.count = root / "count"
        self.init = root / "init.sh"
        self.init.write_text(INIT.format(count=self.count), encoding="utf-8")

    def write(self, **variables: Any) -> None:
        known = {"session_modules_init": str(self.init), "__session_etc": str(self.etc), **variables}
        (self.etc / "profile.sh").write_text(rendered("session", "profile.sh", **known), encoding="utf-8")

    def run(self, script: str, **more: str) -> str:
        """What a bash script of a user's prints in a session."""
        environ = {"PATH": "/usr/bin:/bin", "USER": "alice", "BASH_ENV": str(self.etc / "profile.sh"), **more}
        shown = subprocess.run(
            ["/bin/bash", "-c", script], env=environ, check=True, capture_output=True, text=True
        )
        assert shown.stderr == ""
        return shown.stdout.strip()

    def reads(self) -> int:
        return len(self.count.read_text(encoding="utf-8").splitlines()) if self.count.exists() else 0


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    made = Profile(tmp_path)
    made.write()
    return made


def test_a_script_has_module_and_no_noise(profile: Profile) -> None:
    assert profile.run("module load gcc") == "module load gcc"


def test_what_runs_below_does_not_set_it_up_again(profile: Profile) -> None:
    assert profile.run("bash -c 'bash -c \"module list\"'") == "module list"
    assert profile.reads() == 1


def test_directories_of_the_site_come_first_and_once(profile: Profile) -> None:
    profile.write(session_modulepath=["/site/first", "/site/with space"])
    shown = profile.run("bash -c 'echo \"$MODULEPATH\"'")
    assert shown == "/site/first:/site/with space:/site/modules"


def test_scripts_below_go_on_to_read_this_profile(profile: Profile) -> None:
    assert profile.run("echo $BASH_ENV") == str(profile.etc / "profile.sh")


def test_a_site_without_modules_sets_nothing_up(profile: Profile) -> None:
    profile.write(session_modules="none", session_modulepath=["/site/first"])
    assert profile.run("type -t module; echo [$MODULEPATH]; true") == "[]"
    assert profile.reads() == 0


def test_a_node_without_modules_fails_nothing(profile: Profile) -> None:
    profile.init.unlink()
    assert profile.run("type -t module; echo fine") == "fine"


@pytest.mark.parametrize(
    ("kind", "there", "not_there"),
    [
        ("lmod", "/etc/profile.d/lmod.sh", "/usr/share/modules/init/bash"),
        ("environment-modules", "/usr/share/modules/init/bash", "/etc/profile.d/lmod.sh"),
        ("auto", "/etc/profile.d/lmod.sh", ""),
        ("auto", "/usr/share/Modules/init/bash", ""),
    ],
)
def test_each_kind_is_looked_for_at_its_places(kind: str, there: str, not_there: str) -> None:
    text = rendered("session", "profile.sh", session_modules=kind)
    assert there in text
    assert not not_there or not_there not in text


def test_the_site_s_variables_come_after_modules(profile: Profile) -> None:
    profile.write(session_environment={"DATA": "/data/$USER"}, session_profile="export PATHS=$MODULEPATH")
    assert profile.run("echo $DATA $PATHS") == "/data/alice /site/modules"
