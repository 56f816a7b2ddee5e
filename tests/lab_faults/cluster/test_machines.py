"""Nodes that freeze or die, and a proxy that is killed: sessions stay, or their user reads what happened."""

from __future__ import annotations

import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.lab import pages
from tests.lab.hub import HUB_SECONDS, hub_answers, kill_hub
from tests.lab.notebook import Kernel
from tests.lab.sessions import running, session_jobs
from tests.lab.waiting import until
from tests.lab_faults import faults
from tests.lab_faults.faults import gone, settled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

FROZEN_SECONDS = 60.0
NODE_SECONDS = 180.0
DEAD_SECONDS = 20.0
"""Slurm takes a job that its node does not know for one that is about to start, for the first ten seconds."""


def docker(*argv: str) -> None:
    """Do something to the container that is a machine of the lab."""
    subprocess.run(["docker", *argv], check=True, capture_output=True)


@contextmanager
def paused(machine: Machine) -> Iterator[None]:
    """A machine on which nothing goes on."""
    docker("pause", machine.container)
    try:
        yield
    finally:
        docker("unpause", machine.container)


def test_a_node_is_frozen_for_a_minute_while_the_hub_is_killed(
    slurm: Slurm, login: Machine, alice: Visitor
) -> None:
    with running(slurm, alice) as session, Kernel.start(alice) as kernel:
        kernel.run("here = 'still'")
        with paused(session.node):
            since = time.monotonic()
            kill_hub(login, alice)
            time.sleep(max(0.0, since + FROZEN_SECONDS - time.monotonic()))  # a minute is the test
            server = alice.server()
            assert server is not None
            assert server["ready"]
        until(lambda: alice.lab("GET", "kernels").status_code == 200, "a session that answers", 30)
        assert kernel.run("print(here)") == "still"
        settled(login, slurm, alice)
        assert session_jobs(slurm, "alice") == [session.job_id]


def test_a_node_dies_and_comes_back(slurm: Slurm, login: Machine, alice: Visitor) -> None:
    with running(slurm, alice) as session:
        node = session.node
        docker("kill", node.container)
        time.sleep(DEAD_SECONDS)
        docker("start", node.container)
        until(
            lambda: slurm.state(session.job_id) == "NODE_FAIL", "a job that Slurm has given up", NODE_SECONDS
        )
        gone(login, slurm, alice)
        assert "The node failed" in pages.text(alice.form_page())
        until(lambda: slurm.node(node.name)["State"] == "IDLE", "a node that works again", NODE_SECONDS)
    with running(slurm, alice):
        settled(login, slurm, alice)


def test_a_proxy_that_is_killed_gets_its_routes_back(slurm: Slurm, login: Machine, alice: Visitor) -> None:
    with running(slurm, alice) as session, Kernel.start(alice) as kernel:
        kernel.run("here = 'still'")
        before = login.property("berth-proxy", "MainPID")
        login.run("systemctl", "kill", "--signal=KILL", "berth-proxy")
        until(
            lambda: login.property("berth-proxy", "MainPID") not in {"0", before} and hub_answers(alice),
            "a proxy and a hub that answer",
            HUB_SECONDS,
        )
        until(lambda: alice.lab("GET", "kernels").status_code == 200, "a session that can be reached", 60)
        assert session_jobs(slurm, "alice") == [session.job_id]
        again = Kernel(alice, kernel.id)
        assert again.run("print(here)") == "still"
        again.socket.close()
        settled(login, slurm, alice)


def test_a_session_ends_while_the_proxy_gives_no_answer(slurm: Slurm, login: Machine, alice: Visitor) -> None:
    with running(slurm, alice) as session:
        with faults.stopped_unit(login, "berth-proxy"):
            slurm.cancel(session.job_id)
            until(lambda: not faults.kept(login, "alice").server, "a hub that has let go", 60)
        gone(login, slurm, alice)
        until(lambda: alice.http.get("/user/alice/lab").url.path.startswith("/hub/"), "no route", 30)
