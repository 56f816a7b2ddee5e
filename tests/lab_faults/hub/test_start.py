"""A hub that is killed at any step of a start loses no session, starts none twice and leaves no token."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.lab.cluster import OPEN_NODE
from tests.lab.hub import HUB_SECONDS, hub_answers, kill_hub, killed_hub
from tests.lab.machines import Machine
from tests.lab.notebook import Kernel
from tests.lab.sessions import SMALL, session_jobs, started
from tests.lab.slurm import full_nodes
from tests.lab.waiting import until
from tests.lab_faults import faults
from tests.lab_faults.faults import kept, processes, reached, settled
from tests.lab_faults.held import RECORD, TOKEN, Step, held_up
from tests.lab_faults.hung import hung

if TYPE_CHECKING:
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

LOST_SECONDS = 180.0
# Stops everything of a user as soon as there is something.
FREEZE = "for n in $(seq 1200); do pkill -STOP -u {user} && exit 0; sleep 0.05; done; exit 1"


@pytest.mark.parametrize("step", [TOKEN, RECORD], ids=["no token", "token"])
def test_before_the_record_is_committed(slurm: Slurm, login: Machine, alice: Visitor, step: Step) -> None:
    before = slurm.known("alice")
    with held_up(login, step) as is_held_up:
        click = faults.meanwhile(lambda: alice.submit_form(**SMALL))
        until(is_held_up, "a hub that hangs in this step", 20)
        found = kept(login, "alice")
        assert (found.server, found.session, len(found.tokens)) == (step.server, {}, step.tokens)
        kill_hub(login, alice)
    click.join()
    until(lambda: alice.server() is None, "no session", 20)
    assert step.told in alice.last_words()
    assert kept(login, "alice").tokens == []
    assert slurm.known("alice") == before
    started(slurm, alice)
    alice.wait_ready()
    settled(login, slurm, alice)


def test_after_the_record_and_before_the_helper(slurm: Slurm, login: Machine, alice: Visitor) -> None:
    before = slurm.known("alice")
    # The hub waits for the helper's socket, which it cannot even find.
    with hung(login, str(Path(faults.HELPER_SOCKET).parent), service="berth-hub"):
        click = faults.meanwhile(lambda: alice.submit_form(**SMALL))
        found = reached(login, "alice", "submitting")
        assert found.session["job_id"] is None
        kill_hub(login, alice)
    click.join()
    server = alice.server()
    assert server is not None
    assert server["pending"] == "spawn"
    until(lambda: not (alice.server() or {}).get("pending"), "an answer", LOST_SECONDS)
    assert "did not reach Slurm" in alice.last_words()
    assert not slurm.known("alice") - before
    assert kept(login, "alice").tokens == []


def test_while_sbatch_waits_for_the_controller(slurm: Slurm, login: Machine, alice: Visitor) -> None:
    before = slurm.known("alice")
    with faults.stopped_unit(login, "slurmctld"):
        alice.submit_form(**SMALL)
        until(lambda: len(processes(login, "sbatch")) == 1, "a submission under way", 20)
        # Later, sbatch may have given up: it waits ten seconds for an answer.
        with killed_hub(login, alice):
            assert len(processes(login, "sbatch")) == 1, "the submission did not outlive the hub"
    alice.wait_ready()
    settled(login, slurm, alice)
    assert len(slurm.known("alice") - before) == 1


def test_when_slurm_has_the_job_and_the_hub_has_no_answer(
    slurm: Slurm, login: Machine, alice: Visitor
) -> None:
    before = slurm.known("alice")
    with faults.stopped_unit(login, "slurmctld"):
        alice.submit_form(**SMALL)
        until(lambda: len(processes(login, "sbatch")) == 1, "a submission under way", 20)
        login.run("pkill", "-STOP", "-f", "berth.helper$")
    (job_id,) = until(lambda: session_jobs(slurm, "alice"), "a job", 30)
    found = kept(login, "alice")
    assert (found.phase, found.session["job_id"]) == ("submitting", None)
    kill_hub(login, alice)
    login.run("pkill", "-CONT", "-f", "berth.helper$")
    alice.wait_ready()
    settled(login, slurm, alice)
    assert session_jobs(slurm, "alice") == [job_id]
    assert slurm.known("alice") - before == {job_id}


def test_while_the_job_waits_in_the_queue(slurm: Slurm, login: Machine, alice: Visitor) -> None:
    with full_nodes(slurm) as blockers:
        job_id = started(slurm, alice)
        until(lambda: slurm.job(job_id)["Reason"] == "Resources", "a start that waits", 30)
        kill_hub(login, alice)
        server = alice.server()
        assert server is not None
        assert server["pending"] == "spawn"
        assert session_jobs(slurm, "alice") == [job_id]
        assert slurm.state(job_id) == "PENDING"
        said = next(event["message"] for event in alice.progress() if str(job_id) in event["message"])
        assert "waits in the queue" in said
        slurm.cancel(*blockers)
    alice.wait_ready()
    settled(login, slurm, alice)
    assert session_jobs(slurm, "alice") == [job_id]
    assert alice.open_session().url.path.startswith("/user/alice/lab")
    with Kernel.start(alice) as kernel:
        assert kernel.run("import os; print(os.environ['BERTH_JOB_ID'])") == str(job_id)


def test_while_the_session_runs_and_has_not_reported(slurm: Slurm, login: Machine, alice: Visitor) -> None:
    node = Machine(OPEN_NODE.name)
    freezer = threading.Thread(target=node.shell, args=(FREEZE.format(user="alice"),))
    freezer.start()
    job_id = started(slurm, alice)
    freezer.join(70)
    try:
        slurm.wait_for(job_id, "RUNNING")
        found = reached(login, "alice", "queued")
        assert found.session["port"] is None
        kill_hub(login, alice)
        server = alice.server()
        assert server is not None
        assert server["pending"] == "spawn"
    finally:
        node.run("pkill", "-CONT", "-u", "alice")
    alice.wait_ready()
    settled(login, slurm, alice)
    assert session_jobs(slurm, "alice") == [job_id]


@pytest.mark.parametrize("killed", [True, False], ids=["hub killed", "hub alive"])
def test_when_the_session_has_reported_and_the_proxy_has_no_route(
    slurm: Slurm, login: Machine, alice: Visitor, *, killed: bool
) -> None:
    node = Machine(OPEN_NODE.name)
    freezer = threading.Thread(target=node.shell, args=(FREEZE.format(user="alice"),))
    freezer.start()
    job_id = started(slurm, alice)
    freezer.join(70)
    slurm.wait_for(job_id, "RUNNING")
    with faults.stopped_unit(login, "berth-proxy"):
        node.run("pkill", "-CONT", "-u", "alice")
        reached(login, "alice", "ready")
        if killed:
            login.run("systemctl", "kill", "--signal=KILL", "--kill-whom=all", "berth-hub")
        else:
            log = "did not change the route of alice"
            until(lambda: log in login.journal("-30s", "berth-hub"), "a hub that went on", 30)
    until(lambda: hub_answers(alice), "a hub that answers", HUB_SECONDS)
    alice.wait_ready()
    settled(login, slurm, alice)
    assert session_jobs(slurm, "alice") == [job_id]
    until(lambda: alice.open_session().url.path.startswith("/user/alice/lab"), "an open session", 30)
