"""Julia in a home that has nothing of it yet: real sessions, a real Pkg, and no package server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.lab.machines import NODES, Machine
from tests.lab.notebook import Kernel
from tests.lab.releases import ordered
from tests.lab.sessions import running
from tests.lab.waiting import until
from tests.lab_releases import preparing
from tests.lab_releases.conftest import RELEASE, SMALL
from tests.lab_releases.kernels import KERNELS
from tests.lab_releases.preparing import KERNEL, USER, julia_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

CELL_SECONDS = 120.0


@pytest.fixture(autouse=True)
def _first_login() -> Iterator[None]:
    preparing.forget()
    yield
    preparing.forget()


def place_of(kernel: Kernel, package: str) -> str:
    """Where Julia found a package."""
    return kernel.run(f"import {package}; println(pathof({package}))", CELL_SECONDS)


def test_a_first_session_prepares_it_and_says_so_meanwhile(slurm: Slurm, alice: Visitor) -> None:
    julia = julia_of(RELEASE)
    with preparing.held(julia) as halfway, running(slurm, alice, **SMALL) as session:
        halfway()
        assert preparing.shown(alice) == f"{julia.name} (being prepared)"
        answer = alice.lab("POST", "kernels", json={"name": KERNEL})
        assert answer.status_code == 500
        reason = " ".join(answer.json()["message"].split())
        assert reason.startswith(f"{julia.name} is being prepared in your home")
        assert julia.log in reason
        at_work = [str(pid) for pid in preparing.processes(session.node, "-x", "julia")]
        assert set(session.node.run("ps", "-o", "nice=", "-p", ",".join(at_work)).split()) == {"19"}
        with Kernel.start(alice, "python3") as kernel:
            assert kernel.value("6 * 7") == 42
        preparing.go_on()
        julia.wait(alice)
        with Kernel.start(alice, KERNEL) as kernel:
            assert kernel.run(KERNELS[KERNEL].cell, CELL_SECONDS) == KERNELS[KERNEL].printed
            assert place_of(kernel, "IJulia").startswith(f"{julia.depot}/packages/")


def test_a_session_that_dies_halfway_is_gone_on_with_by_the_next(slurm: Slurm, alice: Visitor) -> None:
    julia = julia_of(RELEASE)
    with preparing.held(julia) as halfway, running(slurm, alice, **SMALL) as session:
        halfway()
        session.node.run("pkill", "-KILL", "-u", USER)
        until(lambda: alice.server() is None, "the end of the session that died", 60)
    assert not julia.is_there()
    with running(slurm, alice, **SMALL) as session:
        julia.wait(alice)
        # What the first one had brought was there.
        assert "Cloning" not in session.node.run("cat", julia.log)
        with Kernel.start(alice, KERNEL) as kernel:
            assert kernel.run("println(6 * 7)", CELL_SECONDS) == "42"


def test_two_nodes_at_once_prepare_it_once(slurm: Slurm, alice: Visitor) -> None:
    julia = julia_of(RELEASE)
    with (
        ThreadPoolExecutor(1) as pool,
        preparing.held(julia) as halfway,
        running(slurm, alice, **SMALL) as session,
    ):
        halfway()
        (first,) = preparing.processes(session.node, "-f", preparing.PREPARE)
        other = Machine(next(node for node in NODES if node != session.node.name))
        environ = ["env", f"HOME=/home/{USER}", f"PATH={julia.prefix}/bin:/usr/bin:/bin"]
        asked = pool.submit(other.attempt, *environ, *preparing.command(session), user=USER)
        until(lambda: preparing.processes(other, "-f", preparing.PREPARE), "a second one", 20)
        preparing.go_on()
        second = asked.result(preparing.READY_SECONDS)
        julia.wait(alice)
    assert (second.rc, second.stdout) == (0, ""), second  # its hook would have said something
    assert f"process {first} on {session.node.name} prepares this environment: waiting" in second.stderr


def test_what_a_user_adds_outlives_the_release(slurm: Slurm, alice: Visitor) -> None:
    older, newer = (julia_of(entry["name"]) for entry in ordered())
    assert older.final != newer.final, "both releases have the same Julia: this test shows nothing"
    with running(slurm, alice, **SMALL):
        newer.wait(alice)
        with Kernel.start(alice, KERNEL) as kernel:
            kernel.run('using Pkg; Pkg.add("Greeting")', CELL_SECONDS)
            assert kernel.run("using Greeting; println(Greeting.greet())", CELL_SECONDS) == "good day"
    with running(slurm, alice, **{**SMALL, "release": ordered()[0]["name"]}):
        older.wait(alice)
        with Kernel.start(alice, KERNEL) as kernel:
            assert kernel.run("using Greeting; println(Greeting.greet())", CELL_SECONDS) == "good day"
            assert place_of(kernel, "Greeting").startswith(f"/home/{USER}/.julia/packages/Greeting/")
            assert place_of(kernel, "IJulia").startswith(f"{older.depot}/packages/")
    assert newer.is_there()
