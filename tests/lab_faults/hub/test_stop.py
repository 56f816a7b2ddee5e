"""A hub that is killed at any step of a stop still ends the session, and a start is never left half done."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from tests.lab.hub import kill_hub
from tests.lab.sessions import SMALL, running
from tests.lab.waiting import until
from tests.lab_faults import faults
from tests.lab_faults.faults import COLLECTOR, frozen, gone, kept, processes, reached, settled

if TYPE_CHECKING:
    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

KILLS = 8
START_SECONDS = 6.0
STOP_SECONDS = 2.0
SEED = 20261126
OPTIONS = {"alice": SMALL, "bob": {**SMALL, "account": "proj_b"}}


def test_after_the_record_says_stopping_and_before_scancel(
    slurm: Slurm, login: Machine, alice: Visitor
) -> None:
    with running(slurm, alice) as session:
        with faults.deaf_helper(login):
            alice.press_stop()
            reached(login, "alice", "stopping")
            assert slurm.state(session.job_id) == "RUNNING"
            kill_hub(login, alice)
            server = alice.server()
            assert server is not None
            assert server["pending"] == "stop"
            assert "is being stopped" in faults.told(alice)
            assert slurm.state(session.job_id) == "RUNNING"
        # What was asked of the deaf one is not known to have happened: it is asked again.
        gone(login, slurm, alice, 150)
        assert slurm.accounted(session.job_id, "State").startswith("CANCELLED")


def test_while_scancel_waits_for_the_controller(slurm: Slurm, login: Machine, alice: Visitor) -> None:
    with running(slurm, alice) as session:
        with faults.stopped_unit(login, "slurmctld"):
            alice.press_stop()
            until(lambda: processes(login, "scancel"), "a cancellation under way", 20)
            kill_hub(login, alice)
        gone(login, slurm, alice)
        assert slurm.accounted(session.job_id, "State").startswith("CANCELLED")


def test_after_the_job_ended_and_before_that_is_known(slurm: Slurm, login: Machine, alice: Visitor) -> None:
    with running(slurm, alice) as session:
        with frozen(login, COLLECTOR):
            alice.press_stop()
            until(lambda: slurm.state(session.job_id) == "CANCELLED", "a cancelled job", 30)
            found = kept(login, "alice")
            assert (found.phase, found.server) == ("stopping", True)
            kill_hub(login, alice)
        gone(login, slurm, alice)


@pytest.mark.parametrize("round_number", range(KILLS))
def test_at_any_instant_of_two_starts_and_two_stops(
    slurm: Slurm, login: Machine, alice: Visitor, bob: Visitor, round_number: int
) -> None:
    chance = random.Random(SEED + round_number)
    visitors = (alice, bob)
    before = {visitor.name: slurm.known(visitor.name) for visitor in visitors}
    asked = [faults.start_by_api(visitor, **OPTIONS[visitor.name]) for visitor in visitors]
    time.sleep(chance.uniform(0, START_SECONDS))
    kill_hub(login, alice)
    for thread in asked:
        thread.join()
    for visitor in visitors:
        settled(login, slurm, visitor, 150)
        assert len(slurm.known(visitor.name) - before[visitor.name]) <= 1, "it ran twice"
    asked = [faults.stop_by_api(visitor) for visitor in visitors if visitor.server() is not None]
    time.sleep(chance.uniform(0, STOP_SECONDS))
    kill_hub(login, alice)
    for thread in asked:
        thread.join()
    for visitor in visitors:
        settled(login, slurm, visitor)
