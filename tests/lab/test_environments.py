"""`berth env` in a real session: made, listed, broken, told, removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab import guide
from tests.lab.machines import LOGIN, Machine
from tests.lab.notebook import Kernel, Terminal
from tests.lab.releases import two_with_conda
from tests.lab.sessions import Session, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

NAME = "shorter"
CONDA_SECONDS = 300.0
PYTHON = f"/home/alice/.conda/envs/{NAME}/bin/python"


@pytest.fixture(scope="module")
def session(slurm: Slurm, alice: Visitor) -> Iterator[Session]:
    """A session of the newest release with a conda; what is made in it goes afterwards."""
    release, _ = two_with_conda()[-1]
    try:
        with running(slurm, alice, release=release, memory="2G") as session:
            yield session
    finally:
        place = f"/home/alice/.local/share/jupyter/kernels/{NAME}"
        Machine(LOGIN).run("rm", "-rf", "/home/alice/.conda", "/home/alice/.berth/environments", place)


@pytest.fixture
def terminal(session: Session) -> Iterator[Terminal]:
    """A terminal of that session."""
    with Terminal(session.visitor) as terminal:
        yield terminal


def shown(session: Session) -> str:
    """The kernel's name in the launcher."""
    specs = session.visitor.lab("GET", "kernelspecs").raise_for_status().json()["kernelspecs"]
    return str(specs.get(NAME, {}).get("spec", {}).get("display_name", ""))


def status(terminal: Terminal, command: str) -> tuple[int, str]:
    """Exit code and output of a command."""
    output, _, code = terminal.run(f"{command}; echo status $?", CONDA_SECONDS).rpartition("status ")
    return int(code), output


def test_a_bad_wish_is_answered_with_a_sentence_and_leaves_nothing(terminal: Terminal) -> None:
    code, said = status(terminal, f"berth env create {NAME} no-such-package")
    assert (code, "nothing of it is left" in said) == (1, True), said
    code, said = status(terminal, f"berth env create {NAME} --module no-such-module")
    assert code == 1
    assert "module load no-such-module fails" in said
    assert terminal.run(f"ls -d ~/.conda/envs/{NAME} 2>/dev/null | wc -l") == "0"


def test_one_command_makes_an_environment_whose_kernel_runs(session: Session, terminal: Terminal) -> None:
    code, said = status(terminal, f"berth env create {NAME} pytz --display-name 'The shorter way'")
    assert code == 0, said
    assert shown(session) == "The shorter way"
    with Kernel.start(session.visitor, NAME) as kernel:
        assert kernel.value("[__import__('sys').executable, __import__('pytz').__name__]") == [PYTHON, "pytz"]
    code, said = status(terminal, "berth env list")
    assert code == 0
    assert [NAME, "ok", PYTHON] in [line.split() for line in said.splitlines()]


def test_a_broken_one_is_told_in_list_launcher_and_dialog(session: Session, terminal: Terminal) -> None:
    session.node.run("mv", PYTHON, f"{PYTHON}.away")
    try:
        code, said = status(terminal, "berth env list")
        assert code == 1
        assert f"{PYTHON} is gone" in said
        assert shown(session) == "The shorter way (cannot start)"
        answer = session.visitor.lab("POST", "kernels", json={"name": NAME})
        assert answer.status_code == 500
        assert f"The shorter way cannot start: {PYTHON} is gone" in " ".join(answer.json()["message"].split())
    finally:
        session.node.run("mv", f"{PYTHON}.away", PYTHON)


def test_one_command_removes_it(session: Session, terminal: Terminal) -> None:
    code, said = status(terminal, f"berth env remove {NAME} --yes")
    assert code == 0, said
    assert shown(session) == ""
    assert session.node.attempt("test", "-e", f"/home/alice/.conda/envs/{NAME}").rc != 0
    code, said = status(terminal, f"berth env remove {NAME} --yes")
    assert code == 1
    assert "neither an environment nor a kernel" in said


def test_the_guide_s_short_way_makes_lists_and_removes_an_environment(
    session: Session, terminal: Terminal
) -> None:
    for block, there in zip(
        guide.blocks(session.visitor, "short", NAME=NAME, PACKAGE="pytz"), (True, False), strict=True
    ):
        for line, asks in block.items():
            said = terminal.run(f"{line}; echo status $?", CONDA_SECONDS, asks)
            assert said.endswith("status 0"), said
        assert bool(shown(session)) is there
