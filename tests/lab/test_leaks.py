"""A user's own Python packages stay out of a release's kernels, and of what these start."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.lab.machines import LOGIN, Machine
from tests.lab.notebook import Kernel, Terminal
from tests.lab.releases import python_prefix, two_with_conda
from tests.lab.sessions import Session, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

LOOK = """\
import importlib.util, json, sys
print(json.dumps({
    "prefix": sys.prefix,
    "leak": importlib.util.find_spec("berth_leak") is not None,
    "json": json.__file__,
    "path": [place for place in sys.path if "/.local" in place],
}))
"""
IN_A_CHILD = "import subprocess; print(subprocess.check_output(['python', '-c', {!r}], text=True))"
TERMINAL_SECONDS = 60.0


@pytest.fixture(scope="module")
def prefix() -> str:
    """The environment behind the kernel `python3` of the newest release."""
    return python_prefix(two_with_conda()[-1][0])


@pytest.fixture(scope="module")
def own(prefix: str) -> Iterator[str]:
    """Where alice has two modules of her own, one of them with a name that all of Python needs.

    Her shells name the place, before anything that keeps them from reading on.
    """
    home, directory = Machine(LOGIN), Machine(LOGIN).shell(f"cd {prefix}/lib && echo python3.*")
    place = f"/home/alice/.local/lib/{directory}/site-packages"
    assert home.attempt("test", "-e", "/home/alice/.local/lib").rc != 0
    home.shell("cd /home/alice && touch .bashrc && cp -p .bashrc .bashrc.before", user="alice")
    try:
        home.shell(f"mkdir -p {place}", user="alice")
        home.shell(f"echo 'print(\"leaked\")' > {place}/berth_leak.py", user="alice")
        home.shell(f"echo 'raise RuntimeError(\"leaked\")' > {place}/json.py", user="alice")
        home.shell(
            f"cd /home/alice && {{ echo export PYTHONPATH={place}; cat .bashrc.before; }} > .bashrc",
            user="alice",
        )
        yield place
    finally:
        home.shell("cd /home/alice && rm -rf .local/lib && mv .bashrc.before .bashrc", user="alice")


@pytest.fixture(scope="module")
def session(own: str, slurm: Slurm, alice: Visitor) -> Iterator[Session]:  # noqa: ARG001
    """A session that was started with all that in place."""
    with running(slurm, alice, release=two_with_conda()[-1][0]) as session:
        yield session


def test_outside_of_kernels_the_modules_are_found(session: Session, own: str, prefix: str) -> None:
    python = f"{prefix}/bin/python"
    with Terminal(session.visitor) as terminal:
        assert terminal.run("echo $PYTHONPATH", TERMINAL_SECONDS) == own
        assert terminal.run(f"{python} -c 'import berth_leak'") == "leaked"
        # Without the variable, too: it is where every Python looks for what a user installed.
        assert terminal.run(f"env -u PYTHONPATH {python} -c 'import berth_leak'") == "leaked"


def test_neither_a_release_s_kernel_nor_its_children_find_them(session: Session, prefix: str) -> None:
    with Kernel.start(session.visitor, "python3") as kernel:
        seen = [json.loads(kernel.run(LOOK)), json.loads(kernel.run(IN_A_CHILD.format(LOOK)))]
    for what in seen:
        assert what["json"].startswith(f"{prefix}/lib/")
        assert (what["prefix"], what["leak"], what["path"]) == (prefix, False, [])
