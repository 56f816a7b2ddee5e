"""`berth env` with a real conda: what it makes works, and what it cannot make is not there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.unit.environments.conftest import ROOT, Site

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow
SECONDS = 300.0
MODULE = """
module() {
  case "$1 $2" in
    "load good") export LOADED=$2 ;;
    *) echo "there is no module $2" >&2; return 1 ;;
  esac
}
export -f module
"""


class Berth:
    """The command in a terminal of a session, in an isolated interpreter as the layer's."""

    def __init__(self, site: Site, home: Path) -> None:
        self.site, self.home = site, home
        profile = home.parent / "profile.sh"
        profile.write_text(MODULE, encoding="utf-8")
        self.environ = {**site.environ(home), "BASH_ENV": str(profile), "BERTH_SRC": str(ROOT / "src")}
        self.kernels = home / ".local/share/jupyter/kernels"
        self.environments = home / ".conda/envs"

    @property
    def command(self) -> list[str]:
        script = "import os, sys; sys.path.insert(0, os.environ['BERTH_SRC'])\n"
        return [sys.executable, "-I", "-c", f"{script}from berth.__main__ import main; main()", "env"]

    def run(self, *arguments: str, cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, *arguments],
            cwd=cwd or self.home,
            env={**self.environ, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.command, *arguments],
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def rows(self) -> dict[str, dict[str, str]]:
        return {row["name"]: row for row in json.loads(self.run("list", "--json").stdout)}

    def left(self) -> list[str]:
        """Environments and kernels, with what is hidden."""
        places = (self.environments, self.kernels)
        return sorted(item.name for place in places if place.is_dir() for item in place.iterdir())


@pytest.fixture
def berth(site: Site, home: Path) -> Berth:
    return Berth(site, home)


@pytest.fixture(scope="module")
def made(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Berth:
    """A home with an environment that the command made, in spite of what else is in the home."""
    home = tmp_path_factory.mktemp("made") / "home"
    hostile = home / "hostile"
    hostile.mkdir(parents=True)
    for name in ("conda", "json", "jupyter_client", "ipykernel"):
        (hostile / f"{name}.py").write_text("raise SystemExit('hostile')\n", encoding="utf-8")
    berth = Berth(site, home)
    temporary = home.parent / "temporary"
    temporary.mkdir()
    done = berth.run(
        *("create", "mine", "pytz", "--module", "good", "--display-name", "My own"),
        PYTHONPATH=str(hostile),
        TMPDIR=str(temporary),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(temporary.iterdir()) == [], "what is left there stays until an admin removes it"
    assert 'is in the launcher as "My own" after a refresh' in done.stdout
    return berth


def test_the_environment_has_what_was_asked_for(made: Berth) -> None:
    python = made.environments / "mine/bin/python"
    subprocess.run([str(python), "-I", "-c", "import pytz, ipykernel"], check=True)
    assert made.rows()["mine"] == {
        "name": "mine",
        "display_name": "My own",
        "state": "ok",
        "interpreter": str(python),
        "what": "",
    }


def test_its_kernel_loads_the_module_as_the_guide_prints_it(made: Berth) -> None:
    spec = json.loads((made.kernels / "mine/kernel.json").read_text(encoding="utf-8"))
    wrapper = made.kernels / "mine/wrapper.sh"
    assert spec["argv"][:2] == [str(wrapper), str(made.environments / "mine/bin/python")]
    lines = wrapper.read_text(encoding="utf-8").splitlines()
    assert (lines[0], lines[-1]) == ("#!/bin/bash", 'exec "$@"')
    assert "module load good" in lines
    shown = subprocess.run(
        [str(wrapper), "printenv", "LOADED"], env=made.environ, check=True, capture_output=True, text=True
    )
    assert shown.stdout == "good\n"


def test_a_name_that_is_taken_is_refused_and_nothing_changes(made: Berth) -> None:
    before = made.left()
    done = made.run("create", "mine")
    assert done.returncode == 1
    assert "there is an environment called mine already" in done.stderr
    assert made.left() == before
    assert made.rows()["mine"]["state"] == "ok"


def test_conda_itself_knows_the_environment(made: Berth) -> None:
    conda = str(made.site.conda("2026.11") / "bin/conda")
    listed = subprocess.run(
        [conda, "env", "list"], env=made.environ, check=True, capture_output=True, text=True
    )
    assert str(made.environments / "mine") in listed.stdout


@pytest.mark.parametrize("name", ["", "-x", "../x", "a b", "base", "ROOT", "x" * 65, "python3", "ä"])
def test_a_name_that_cannot_be_is_refused(berth: Berth, name: str) -> None:
    done = berth.run("create", "--", name)
    assert done.returncode == 1
    assert "name" in done.stderr
    assert berth.left() == []


def test_a_module_that_does_not_load_is_refused_before_anything_is_made(berth: Berth) -> None:
    done = berth.run("create", "mine", "--module", "good", "--module", "bad")
    assert done.returncode == 1
    assert "module load bad fails:\nthere is no module bad" in done.stderr
    assert berth.left() == []


def test_a_package_that_there_is_not_leaves_nothing(berth: Berth) -> None:
    done = berth.run("create", "mine", "no-such-package")
    assert done.returncode == 1
    assert "no-such-package" in done.stdout + done.stderr
    assert "nothing of it is left" in done.stderr
    assert berth.left() == []


def test_a_kernel_that_does_not_start_leaves_nothing(berth: Berth) -> None:
    # The user's own start-up file is the user's business, also where it breaks the kernel: it is told.
    startup = berth.home / ".ipython/profile_default/ipython_kernel_config.py"
    startup.parent.mkdir(parents=True)
    startup.write_text(
        "import sys; sys.stderr.write('my own mistake'); sys.stderr.flush(); import os; os._exit(5)",
        encoding="utf-8",
    )
    done = berth.run("create", "mine")
    assert done.returncode == 1
    assert "the kernel ended with status 5:\n  " in done.stderr
    assert "my own mistake" in done.stderr
    assert berth.left() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_leaves_nothing(berth: Berth, number: signal.Signals) -> None:
    process = berth.start("create", "mine")
    deadline = time.monotonic() + SECONDS
    while not berth.environments.is_dir() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, number) if number is signal.SIGINT else process.send_signal(number)
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, errors
    assert berth.left() == []


def test_what_was_killed_is_made_anew_by_the_next_attempt(berth: Berth) -> None:
    process = berth.start("create", "mine")
    deadline = time.monotonic() + SECONDS
    while not (berth.environments / "mine").is_dir() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=SECONDS)
    assert berth.left() == ["mine"]
    done = berth.run("create", "mine")
    assert done.returncode == 0, done.stdout + done.stderr
    assert berth.rows()["mine"]["state"] == "ok"
    done = berth.run("remove", "mine", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert berth.left() == []


def test_two_at_once_make_one(berth: Berth) -> None:
    first, second = berth.start("create", "mine"), berth.start("create", "mine")
    errors = first.communicate(timeout=SECONDS)[1] + second.communicate(timeout=SECONDS)[1]
    assert sorted([first.returncode, second.returncode]) == [0, 1]
    assert "is being made right now" in errors or "there is an environment called mine already" in errors
    assert berth.rows()["mine"]["state"] == "ok"


def test_a_home_in_which_nothing_can_be_made_is_told(berth: Berth) -> None:
    (berth.home / ".conda").write_text("no directory can be made here", encoding="utf-8")
    done = berth.run("create", "mine")
    assert done.returncode == 1
    assert done.stderr
    assert berth.left() == []


def test_removing_asks_and_says_what_there_is_not(berth: Berth) -> None:
    done = berth.run("remove", "mine")
    assert (done.returncode, done.stderr) == (
        1,
        "berth env: there is neither an environment nor a kernel called mine\n",
    )
    place = berth.kernels / "mine"
    place.mkdir(parents=True)
    (place / "kernel.json").write_text("{", encoding="utf-8")
    done = berth.run("remove", "mine")
    assert done.returncode == 1
    assert "say --yes" in done.stderr
    assert berth.run("remove", "mine", "--yes").returncode == 0
    assert berth.left() == []


def test_what_is_no_environment_is_not_removed(berth: Berth) -> None:
    (berth.environments / "mine").mkdir(parents=True)
    done = berth.run("remove", "mine", "--yes")
    assert done.returncode == 1
    assert "is no conda environment" in done.stderr
    assert berth.left() == ["mine"]


def test_a_broken_kernel_is_listed_with_the_reason(berth: Berth) -> None:
    assert "You have no kernels of your own" in berth.run("list").stdout
    place = berth.kernels / "old"
    place.mkdir(parents=True)
    (place / "kernel.json").write_text(json.dumps({"argv": ["/gone/bin/python"]}), encoding="utf-8")
    done = berth.run("list")
    assert done.returncode == 1
    assert "old  broken   /gone/bin/python\n" in done.stdout
    assert "/gone/bin/python is gone" in done.stdout


def test_outside_of_a_session_it_says_so(berth: Berth) -> None:
    done = berth.run("list", BERTH_RELEASE="")
    assert done.returncode == 1
    assert "in a terminal of a session only" in done.stderr


def test_a_release_without_conda_makes_none(berth: Berth) -> None:
    done = berth.run("create", "mine", BERTH_CONDA="")
    assert done.returncode == 1
    assert "release 2026.11 has no conda" in done.stderr


def test_wrong_usage_is_told_by_status_two(berth: Berth) -> None:
    assert berth.run("destroy").returncode == 2
