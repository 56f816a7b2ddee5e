"""A terminal in the launcher: the release's conda is active, and the guide's commands work as written."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.lab import guide
from tests.lab.machines import LOGIN, NODES, Machine
from tests.lab.notebook import Kernel, Terminal
from tests.lab.releases import python_prefix, two_with_conda
from tests.lab.sessions import Session, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

NAME = "guide"
DISPLAY = f"My {NAME}"
CHOSEN = {"NAME": NAME, "PACKAGE": "pytz"}
CONDA_SECONDS = 300.0
KERNEL = f"/home/alice/.local/share/jupyter/kernels/{NAME}"


def done(terminal: Terminal, line: str, asks: list[str]) -> None:
    """Run a line of the guide, which asks and then has to succeed."""
    shown = terminal.run(f"{line}; echo status $?", CONDA_SECONDS, asks)
    assert shown.split()[-2:] == ["status", "0"], f"{line}\n{shown[-4000:]}"


def names(session: Session) -> dict[str, str]:
    """What the launcher shows after a refresh, by kernel."""
    specs = session.visitor.lab("GET", "kernelspecs").raise_for_status().json()["kernelspecs"]
    return {name: item["spec"]["display_name"] for name, item in specs.items()}


@pytest.fixture(scope="module")
def home() -> Iterator[Machine]:
    """The machine with alice's home, as it was before."""
    machine = Machine(LOGIN)
    machine.shell("cd /home/alice; if [ -e .bashrc ]; then cp -p .bashrc .bashrc.before; fi")
    yield machine
    machine.shell(
        "cd /home/alice; rm -f .bashrc; if [ -e .bashrc.before ]; then mv .bashrc.before .bashrc; fi; "
        f"rm -rf .conda .condarc {KERNEL}"
    )


@pytest.fixture(scope="module")
def session(home: Machine, slurm: Slurm, alice: Visitor) -> Iterator[Session]:  # noqa: ARG001
    """A session of the older release, in whose terminal the guide's commands were run."""
    release, _ = two_with_conda()[0]
    with running(slurm, alice, release=release, memory="2G") as session:
        yield session


def test_every_command_of_the_guide_is_run_by_a_test(alice: Visitor) -> None:
    # The second is run by test_environments, the third by test_modules.
    assert guide.groups(alice) == {"conda", "short", "module"}


def test_the_release_s_conda_is_active(session: Session) -> None:
    _, conda = two_with_conda()[0]
    with Terminal(session.visitor) as terminal:
        assert terminal.run("echo $CONDA_PREFIX") == conda
        assert terminal.run("type -t conda") == "function"
        assert terminal.run('case "$PS1" in "(base) "*) echo prompt;; esac') == "prompt"
        assert "conda" in terminal.run("conda list", CONDA_SECONDS)


@pytest.mark.parametrize("editor", ["nano", "vim", "emacs"])
@pytest.mark.parametrize("node", NODES)
def test_there_are_editors(node: str, editor: str) -> None:
    assert Machine(node).run(editor, "--version", user="alice")


def test_the_guide_s_commands_make_a_kernel_that_runs(session: Session) -> None:
    with Terminal(session.visitor) as terminal:
        for line, asks in guide.blocks(session.visitor, "conda", **CHOSEN)[0].items():
            done(terminal, line, asks)
    assert names(session)[NAME] == DISPLAY
    with Kernel.start(session.visitor, NAME) as kernel:
        assert kernel.value("__import__('sys').prefix") == f"/home/alice/.conda/envs/{NAME}"
        assert kernel.value("__import__('pytz').__name__") == "pytz"


def test_the_list_of_packages_is_shown_in_a_notebook(session: Session) -> None:
    with Kernel.start(session.visitor) as kernel:
        listed = kernel.run("!conda list", CONDA_SECONDS)
    prefix = python_prefix(two_with_conda()[0][0])
    # The kernel's own environment, not the one that is active in terminals.
    assert f"# packages in environment at {prefix}:" in listed.splitlines()
    assert re.search(r"^ipykernel\s", listed, re.MULTILINE)


def test_what_conda_init_wrote_leaves_the_terminal_of_another_release_alone(
    session: Session, home: Machine, slurm: Slurm
) -> None:
    (_, old), (release, conda) = two_with_conda()
    before = home.run("cat", "/home/alice/.bashrc")
    assert f"{old}/bin/conda" in before
    session.visitor.stop()
    with running(slurm, session.visitor, release=release) as other:
        with Terminal(other.visitor) as terminal:
            assert terminal.run("echo $CONDA_PREFIX $CONDA_EXE") == f"{conda} {conda}/bin/conda"
            assert old not in terminal.run("echo $PATH")
            assert NAME in terminal.run("conda env list", CONDA_SECONDS)
            assert home.run("cat", "/home/alice/.bashrc") == before
            for line, asks in guide.blocks(other.visitor, "conda", **CHOSEN)[1].items():
                done(terminal, line, asks)
        assert NAME not in names(other)
    assert home.attempt("test", "-e", f"/home/alice/.conda/envs/{NAME}").rc != 0


def test_conda_asks_nobody_outside_and_keeps_to_the_home(slurm: Slurm, alice: Visitor) -> None:
    release, conda = two_with_conda()[-1]
    with running(slurm, alice, release=release) as session, Terminal(session.visitor) as terminal:
        shown = json.loads(terminal.run("conda config --show --json", CONDA_SECONDS))
        assert shown["envs_dirs"][0].startswith("/home/alice/")
        assert shown["pkgs_dirs"][0].startswith("/home/alice/")
        assert shown["number_channel_notices"] == 0
        assert shown["notify_outdated_conda"] is False
        assert session.node.attempt("touch", f"{conda}/x", user="alice").rc != 0
