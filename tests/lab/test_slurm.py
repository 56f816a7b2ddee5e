"""What the cluster does for any job, whoever submits it: the ground that sessions stand on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.lab.sessions import running
from tests.lab.slurm import RESERVED, START_SECONDS, on
from tests.lab.waiting import until

if TYPE_CHECKING:
    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

CORES, USERS_PER_CORE = 4, 5
OPEN_DEVICES = """
import errno, glob, json, os
found = {}
for path in sorted(glob.glob("/dev/nvidia[0-9]*")):
    try:
        os.close(os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK))
        found[path] = "open"
    except OSError as error:
        found[path] = errno.errorcode[error.errno]
print(json.dumps(found))
"""
TO_GPU2 = {"account": "proj_b", "reservation": RESERVED["gpu2"]}
TAKE_MEMORY = "python3 -c 'import time; taken = bytearray(400 << 20); time.sleep(30)'"


def opened(slurm: Slurm, *options: str) -> dict[str, str]:
    """What a job meets when it opens each GPU of its node: "open" or the error's name."""
    script = f"python3 -c '{OPEN_DEVICES}'"
    devices: dict[str, str] = json.loads(slurm.output("alice", *options, script=script))
    return devices


def test_outside_of_jobs_both_gpus_of_a_node_can_be_opened(gpu1: Machine) -> None:
    devices = gpu1.python(OPEN_DEVICES, user="alice")
    assert devices == {"/dev/nvidia0": "open", "/dev/nvidia1": "open"}


def test_a_job_that_asks_for_one_gpu_gets_exactly_that_device(slurm: Slurm) -> None:
    devices = opened(slurm, "--gres=gpu:1")
    assert sorted(devices.values()) == ["EPERM", "open"]


def test_two_jobs_on_one_node_get_one_gpu_each(slurm: Slurm) -> None:
    first = slurm.submit("bob", "--gres=gpu:1", *on("gpu1"), script="sleep 600")
    try:
        slurm.wait_for(first, "RUNNING")
        taken = slurm.job(first)["GRES"]
        devices = opened(slurm, "--gres=gpu:1", "--nodelist=gpu1")
    finally:
        slurm.cancel(first)
    index = taken.partition("IDX:")[2][0]
    assert devices.pop(f"/dev/nvidia{index}") == "EPERM", "the other job's GPU could be opened"
    assert list(devices.values()) == ["open"]


def test_a_job_that_asks_for_two_gpus_gets_both(slurm: Slurm) -> None:
    assert opened(slurm, "--gres=gpu:2") == {"/dev/nvidia0": "open", "/dev/nvidia1": "open"}


def test_a_job_that_asks_for_no_gpu_gets_none(slurm: Slurm) -> None:
    assert opened(slurm) == {"/dev/nvidia0": "EPERM", "/dev/nvidia1": "EPERM"}


def test_a_job_over_its_memory_ends_out_of_memory(slurm: Slurm) -> None:
    job_id = slurm.submit("alice", "--mem=100M", script=TAKE_MEMORY)
    slurm.wait_for(job_id, "OUT_OF_MEMORY", 60)
    until(lambda: slurm.accounted(job_id, "State") == "OUT_OF_MEMORY", "the same in accounting", 30)


@pytest.mark.slow
def test_five_users_share_a_core_and_a_session_starts_where_the_first_row_is_full(
    slurm: Slurm, alice: Visitor
) -> None:
    room = CORES * USERS_PER_CORE
    jobs = [("gpu1", room), ("gpu2", CORES)]
    options = ("--cpus-per-task=1", "--mem=50M")
    try:
        for node, number in jobs:
            slurm.submit("bob", f"--array=1-{number}", *on(node), *options, script="sleep 600")
        busy = room + CORES
        until(lambda: running_of_bob(slurm) == busy, f"{busy} running jobs", 2 * START_SECONDS)
        assert slurm.node("gpu2")["CPUAlloc"] == str(CORES)

        one_more = slurm.submit("bob", *on("gpu1"), *options, script="sleep 600")
        until(lambda: slurm.job(one_more)["Reason"] == "Resources", "a job that waits for room", 30)
        with running(slurm, alice, **TO_GPU2) as session:
            assert session.job["NodeList"] == "gpu2"
        assert slurm.state(one_more) == "PENDING"
    finally:
        slurm.cancel(*set(slurm.queue("bob")))


def running_of_bob(slurm: Slurm) -> int:
    """How many jobs of bob run."""
    return len(slurm.login.run("squeue", "-h", "-r", "-u", "bob", "-t", "RUNNING", "-o", "%A").split())
