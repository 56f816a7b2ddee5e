"""Environments prepared in the home: never twice at once, never half, gone on with after a cut."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from berth.releases.catalogue import Environment
from berth.session import preparations
from berth.session.preparations import State

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow
PATIENCE = 60.0
PYTHON = sys.executable

# A hook as an environment has it: counts its runs, and those at the same time; slow where it is told to be.
HOOK = """#!/bin/sh
set -e
staging=$1 final=$2
mkdir "$HOME/inside"
trap 'rmdir "$HOME/inside"' EXIT
trap 'exit 9' TERM
echo run >> "$HOME/runs"
echo $$ > "$HOME/pid"
echo "preparing $final"
test ! -e "$HOME/broken" || { echo "no space" >&2; exit 3; }
echo part >> "$staging/parts"
for _ in $(seq "$(cat "$HOME/slow" 2>/dev/null || echo 1)"); do sleep 0.1; done
echo whole >> "$staging/parts"
"""


class Place:
    """A home, and an environment of a release that has to be prepared in it."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.home.mkdir(parents=True)
        self.prefix = root / "julia-0123"
        self.hook = self.prefix / "libexec" / "berth" / "prepare"
        self.hook.parent.mkdir(parents=True)
        self.hook.write_text(HOOK, encoding="utf-8")
        self.hook.chmod(0o755)
        self.describe({"directory": ".julia/berth"})

    def describe(self, document: object) -> None:
        self.hook.with_suffix(".json").write_text(json.dumps(document), encoding="utf-8")

    @property
    def final(self) -> Path:
        return self.home / ".julia" / "berth" / "julia-0123"

    @property
    def environ(self) -> dict[str, str]:
        return {"HOME": str(self.home), "PATH": os.environ["PATH"]}

    def found(self) -> dict[str, preparations.Preparation]:
        environment = Environment("julia", "Julia 1.9", "julia", "julia-1.9", str(self.prefix), {})
        return preparations.find([environment], self.home)

    def prepare(self) -> subprocess.Popen[bytes]:
        """What a session starts."""
        command = [PYTHON, "-m", "berth.session.prepare", str(self.hook), str(self.final)]
        environ = {**self.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def runs(self) -> int:
        path = self.home / "runs"
        return len(path.read_text(encoding="utf-8").splitlines()) if path.exists() else 0


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The tests' interpreter finds this project by PYTHONPATH, which an isolated one does not read."""
    wrapper = tmp_path / "python"
    paths = [str(Path(__file__).resolve().parents[3] / "src")]
    wrapper.write_text(
        f'#!/bin/sh\nshift\nexport PYTHONPATH={":".join(paths)}\nexec {PYTHON} "$@"\n',
        encoding="utf-8",
    )
    wrapper.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(wrapper))


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def parts(place: Place) -> list[str]:
    return (place.final / "parts").read_text(encoding="utf-8").split()


def test_many_sessions_at_once_prepare_it_once(place: Place) -> None:
    (place.home / "slow").write_text("5", encoding="utf-8")
    sessions = [place.prepare() for _ in range(4)]
    output = [session.communicate(timeout=PATIENCE)[0].decode() for session in sessions]
    assert [session.returncode for session in sessions] == [0] * 4, output
    assert place.runs() == 1
    assert parts(place) == ["part", "whole"]
    assert sum("prepares this environment: waiting for it" in text for text in output) >= 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_was_cut_off_is_not_there_and_is_gone_on_with(place: Place, number: signal.Signals) -> None:
    (place.home / "slow").write_text("600", encoding="utf-8")
    first = place.prepare()
    until((place.final.with_name(".staging-julia-0123") / "parts").exists)
    first.send_signal(number)
    first.wait(PATIENCE)
    assert not place.final.exists()
    (place.home / "slow").unlink()
    if number is signal.SIGKILL:
        # As at the end of a job, the hook dies as well; until then it keeps the lock.
        second = place.prepare()
        time.sleep(1)
        assert place.runs() == 1
        os.kill(int((place.home / "pid").read_text(encoding="utf-8")), signal.SIGKILL)
        (place.home / "inside").rmdir()
    else:
        second = place.prepare()
    assert second.wait(PATIENCE) == 0
    assert parts(place) == ["part", "part", "whole"]


def test_what_is_prepared_is_not_prepared_again(place: Place) -> None:
    for _ in range(2):
        assert place.prepare().wait(PATIENCE) == 0
    assert place.runs() == 1


def test_its_state_is_told_until_it_is_ready(place: Place) -> None:
    (place.home / "slow").write_text("10", encoding="utf-8")
    (preparation,) = place.found().values()
    preparation.start(place.environ, 500)
    assert preparation.state.value == "being prepared"
    assert preparation.problem is not None
    assert "Julia 1.9 is being prepared in your home" in preparation.problem
    until(lambda: preparation.state is not State.RUNNING)
    log = preparation.log.read_text(encoding="utf-8")
    assert preparation.state is State.READY, log
    (again,) = place.found().values()
    assert again.problem is None
    assert f"preparing {place.final}" in log


def test_a_failure_is_told_with_the_log_and_tried_again_by_the_next_session(place: Place) -> None:
    (place.home / "broken").touch()
    (preparation,) = place.found().values()
    preparation.start(place.environ, 500)
    until(lambda: preparation.state is State.FAILED)
    assert preparation.problem is not None
    assert str(preparation.log) in preparation.problem
    assert "no space" in preparation.log.read_text(encoding="utf-8")
    (place.home / "broken").unlink()
    (again,) = place.found().values()
    again.start(place.environ, 500)
    until(lambda: again.state is State.READY)
    log = again.log.read_text(encoding="utf-8")
    assert log.index("no space") < log.rindex("preparing"), "what another session wrote is gone"


def test_the_end_of_a_session_ends_it(place: Place) -> None:
    (place.home / "slow").write_text("600", encoding="utf-8")
    (preparation,) = place.found().values()
    preparation.start(place.environ, 500)
    until(lambda: place.runs() == 1)
    preparation.stop()
    until(lambda: preparation.state is State.FAILED)
    assert not (place.home / "inside").exists()


def test_it_yields_to_the_user_s_own_work(place: Place) -> None:
    place.hook.write_text(
        '#!/bin/sh\nnice > "$1/nice"; cat /proc/self/oom_score_adj >> "$1/nice"\n', encoding="utf-8"
    )
    (preparation,) = place.found().values()
    preparation.start(place.environ, 500)
    until(lambda: preparation.state is State.READY)
    assert (place.final / "nice").read_text(encoding="utf-8").split() == ["19", "500"]


def test_julia_whose_channel_has_no_kernel_is_prepared_by_our_hook(place: Place) -> None:
    place.hook.unlink()
    found = place.found()["julia-1.9"]
    assert found.hook.parts[-3:] == ("hooks", "julia", "prepare")
    subprocess.run(["sh", "-n", str(found.hook)], check=True)
    assert found.final == place.final
    assert found.variables["JULIA_DEPOT_PATH"].split(":")[:2] == [
        f"{place.home}/.julia",
        f"{place.final}.depot",
    ]


def test_an_environment_without_a_hook_needs_nothing(place: Place) -> None:
    place.hook.unlink()
    kernel = place.prefix / "share/jupyter/kernels/julia-1.9/kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.touch()
    assert place.found() == {}


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        {"directory": "x", "environment": 1},
        {"directory": "/etc"},
        {"directory": "../bob"},
        {"directory": 1},
    ],
)
def test_a_hook_that_does_not_say_where_is_left_alone(place: Place, document: object) -> None:
    place.describe(document)
    assert place.found() == {}
