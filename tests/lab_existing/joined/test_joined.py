"""After playbooks/slurm.yml: everything of the site is as it was, and the partition works beside it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.lab.machines import NODES, Machine
from tests.lab.sessions import running
from tests.lab.test_slurm import OPEN_DEVICES
from tests.lab.waiting import until
from tests.lab_existing.site import BLOCK, DIRECTORY, content, play, remembered, said, survey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

HOSTS = ("login", *NODES)
SESSIONS = 8
"""One-core jobs on a node of four cores, one of which the site's jobs use."""


@pytest.mark.parametrize("name", HOSTS)
def test_their_files_are_what_they_were_but_for_the_block(name: str) -> None:
    machine = Machine(name)
    before, now = remembered(machine), survey(machine, DIRECTORY)
    theirs = before.pop("slurm.conf")
    ours = now.pop("slurm.conf")
    assert now.pop("slurm.conf.before-berth") == theirs
    assert now.pop("interactive.conf")[0] == "-rw-r--r--"
    assert now == before
    assert ours[:3] == theirs[:3]
    kept = content(machine, f"{DIRECTORY}/slurm.conf.before-berth")
    assert content(machine, f"{DIRECTORY}/slurm.conf") == BLOCK % b"interactive.conf" + kept
    assert b"Universit\xe9" in kept
    assert not kept.endswith(b"\n")


def test_only_the_partition_is_ours_and_none_of_their_defaults_is_in_it(slurm: Slurm) -> None:
    rows = [
        line
        for line in slurm.login.run("cat", f"{DIRECTORY}/interactive.conf").splitlines()
        if not line.startswith("#")
    ]
    assert [row.partition(" ")[0] for row in rows] == ["PartitionName=interactive"]
    ours = _partition(slurm, "interactive")
    wanted = {
        "MaxTime": "08:00:00",
        "DefaultTime": "01:00:00",
        "DefMemPerCPU": "200",
        "OverSubscribe": "FORCE:5",
    }
    assert {key: ours[key] for key in wanted} == wanted
    theirs = _partition(slurm, "shared")
    wanted = {
        "MaxTime": "01:00:00",
        "DefaultTime": "00:10:00",
        "DefMemPerCPU": "100",
        "OverSubscribe": "YES:4",
    }
    assert {key: theirs[key] for key in wanted} == wanted
    assert (ours["Default"], _partition(slurm, "batch")["Default"]) == ("NO", "YES")


def _partition(slurm: Slurm, name: str) -> dict[str, str]:
    text = slurm.login.run("scontrol", "--oneliner", "show", "partition", name)
    return dict(pair.split("=", 1) for pair in text.split() if "=" in pair)


@pytest.fixture
def _clean(slurm: Slurm) -> Iterator[None]:
    yield
    slurm.cancel(*map(int, slurm.login.run("squeue", "-h", "-p", "interactive", "-o", "%A").split()))


@pytest.mark.usefixtures("_clean")
def test_jobs_of_the_partition_share_cores_beside_theirs(slurm: Slurm) -> None:
    for _ in range(SESSIONS):
        slurm.submit("alice", "--nodelist=gpu1", "--mem=50M", script="sleep 600")
    listing = ("squeue", "-h", "-p", "interactive", "-w", "gpu1", "-t", "RUNNING", "-o", "%A")
    until(lambda: len(slurm.login.run(*listing).split()) == SESSIONS, f"{SESSIONS} running jobs", 60)


@pytest.mark.usefixtures("_clean")
def test_a_job_of_the_partition_opens_its_gpu_and_not_that_of_theirs(slurm: Slurm) -> None:
    script = f"python3 -c '{OPEN_DEVICES}'"
    devices = json.loads(slurm.output("alice", "--gres=gpu:1", "--nodelist=gpu1", script=script))
    held = slurm.login.run("scontrol", "show", "job", "-d", "-o", _holder(slurm))
    index = held.partition("IDX:")[2][0]
    assert devices.pop(f"/dev/nvidia{index}") == "EPERM"
    assert list(devices.values()) == ["open"]


def _holder(slurm: Slurm) -> str:
    """The job of the site's that holds a GPU."""
    rows = slurm.login.run("squeue", "-h", "-p", "batch", "-t", "RUNNING", "-o", "%A %b").splitlines()
    (held,) = [row.split()[0] for row in rows if "gpu" in row]
    return held


@pytest.mark.usefixtures("_clean")
def test_a_job_of_theirs_that_does_not_ask_to_share_waits_for_sessions(slurm: Slurm) -> None:
    """The hint about OverSubscribe=YES says so; with FORCE:1 (partition batch) nobody waits."""
    ours = slurm.submit("alice", "--nodelist=gpu1", script="sleep 600")
    slurm.wait_for(ours, "RUNNING")
    options = ("--nodelist=gpu1", "--account=proj_a", "--time=5")
    alone = slurm.submit("alice", *options, "--partition=shared", script="sleep 60")
    beside = slurm.submit("alice", *options, "--partition=batch", script="sleep 60")
    try:
        slurm.wait_for(beside, "RUNNING")
        until(lambda: slurm.job(alone)["Reason"] == "Resources", "a job that waits for the node", 30)
    finally:
        slurm.cancel(alone, beside)


def test_a_session_of_the_hub_runs_in_the_partition(slurm: Slurm, alice: Visitor) -> None:
    with running(slurm, alice) as session:
        assert session.job["Partition"] == "interactive"
        assert session.job["NodeList"] == "gpu1"


@pytest.mark.usefixtures("_clean")
def test_while_a_job_needs_the_partition_it_cannot_be_removed(slurm: Slurm) -> None:
    before = survey(slurm.login, DIRECTORY)
    job = slurm.submit("alice", "--nodelist=gpu1", script="sleep 600")
    slurm.wait_for(job, "RUNNING")
    answer = play("slurm_remove")
    assert answer.returncode != 0
    assert f"1 jobs need partition interactive or its nodes: {job} of alice (RUNNING on gpu1)." in said(
        answer
    )
    assert "scontrol update PartitionName=interactive State=DRAIN" in said(answer)
    assert survey(slurm.login, DIRECTORY) == before
    assert slurm.state(job) == "RUNNING"
