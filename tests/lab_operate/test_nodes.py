"""Nodes are drained, taken out and added while sessions run on others, and on the drained one itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.cluster import COURSE, COURSE_NODE, OPEN_NODE
from tests.lab.machines import lab
from tests.lab.notebook import Kernel
from tests.lab.playbooks import play
from tests.lab.sessions import running, session_jobs
from tests.lab.test_availability import current
from tests.lab.waiting import until

if TYPE_CHECKING:
    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

SECONDS = 60.0
pytestmark = pytest.mark.slow


def offered(visitor: Visitor) -> int:
    """How many nodes the form's table counts."""
    return sum(count or 0 for row in current(visitor)["rows"] for count in row["nodes"])


def test_a_session_on_a_drained_node_lives_on_and_no_other_comes(
    slurm: Slurm, login: Machine, alice: Visitor
) -> None:
    before = offered(alice)
    with running(slurm, alice) as session, Kernel.start(alice) as kernel:
        assert session.job["NodeList"] == OPEN_NODE.name
        try:
            login.run("scontrol", "update", f"nodename={OPEN_NODE.name}", "state=drain", "reason=maintenance")
            until(lambda: offered(alice) == before - 1, "a form without the node", SECONDS)
            assert kernel.run("print('still')") == "still"
            alice.wait_ready()
            assert "DRAIN" in slurm.node(OPEN_NODE.name)["State"]
            waiting = slurm.submit("bob", f"--nodelist={OPEN_NODE.name}", script="true")
            assert slurm.state(waiting) == "PENDING"
            alice.stop()
            until(
                lambda: slurm.node(OPEN_NODE.name)["State"].startswith("IDLE+DRAIN"), "an empty node", SECONDS
            )
            slurm.cancel(waiting)
        finally:
            login.run("scontrol", "update", f"nodename={OPEN_NODE.name}", "state=resume")
    until(lambda: offered(alice) == before, "the node on the form again", SECONDS)


def test_a_node_is_taken_out_and_added_again_while_a_session_runs_on_another(
    slurm: Slurm, login: Machine, alice: Visitor, bob: Visitor
) -> None:
    described = lab().variables["slurm_interactive_nodes"]
    left = [node for node in described if node["name"] != OPEN_NODE.name]
    before = offered(alice)
    with (
        running(slurm, bob, account="proj_b", reservation=COURSE) as session,
        Kernel.start(bob) as kernel,
    ):
        assert session.job["NodeList"] == COURSE_NODE.name
        try:
            with kernel.attended():
                play("slurm", {"slurm_interactive_nodes": left}, "--limit", f"all:!{OPEN_NODE.name}")
            listed = login.run("sinfo", "--noheader", "--Node", "--format=%N").split()
            assert set(listed) == {node["name"] for node in left}
            until(lambda: offered(alice) == before - 1, "a form without the node", SECONDS)
            assert kernel.run("print('still')") == "still"
        finally:
            with kernel.attended():
                play("slurm")
        until(lambda: slurm.takes_jobs(OPEN_NODE.name), "the node in service", SECONDS)
        until(lambda: offered(alice) == before, "the node on the form again", SECONDS)
        assert session_jobs(slurm, "bob") == [session.job_id]
        assert kernel.run("print('still')") == "still"
        bob.wait_ready()
        with running(slurm, alice) as added:
            assert added.job["NodeList"] == OPEN_NODE.name
    assert set(play("slurm").changes.values()) == {0}
