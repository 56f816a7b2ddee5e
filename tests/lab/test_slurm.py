"""What the cluster does for any job, whoever submits it: the ground that sessions stand on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.lab.cluster import CLUSTER, COURSE, COURSE_NODE, OPEN_NODE, OPEN_TYPE, USERS_PER_CORE, Node
from tests.lab.machines import Machine
from tests.lab.sessions import running
from tests.lab.slurm import START_SECONDS, on
from tests.lab.waiting import until

if TYPE_CHECKING:
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

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
TO_THE_COURSE = {"account": "proj_b", "reservation": COURSE}
TAKE_MEMORY = "python3 -c 'import time; taken = bytearray(400 << 20); time.sleep(30)'"


nodes = pytest.mark.parametrize("node", CLUSTER, ids=lambda node: node.name)


def opened(slurm: Slurm, node: Node, *options: str) -> dict[str, str]:
    """What a job of bob's on a node meets when it opens each GPU there: "open" or the error's name."""
    script = f"python3 -c '{OPEN_DEVICES}'"
    devices: dict[str, str] = json.loads(slurm.output("bob", *on(node.name), *options, script=script))
    return devices


def only(node: Node, *paths: str) -> dict[str, str]:
    """What a job finds that may open these devices of a node and no other."""
    return {path: "open" if path in paths else "EPERM" for path in node.all_devices}


@nodes
def test_outside_of_jobs_all_gpus_of_a_node_can_be_opened(node: Node) -> None:
    assert Machine(node.name).python(OPEN_DEVICES, user="alice") == only(node, *node.all_devices)


def test_a_job_that_asks_for_one_gpu_gets_exactly_one_device(slurm: Slurm) -> None:
    devices = opened(slurm, OPEN_NODE, "--gres=gpu:1")
    assert sorted(devices.values()) == ["EPERM"] * (len(OPEN_NODE.all_devices) - 1) + ["open"]


def test_two_jobs_on_one_node_get_one_gpu_each(slurm: Slurm) -> None:
    asked = f"--gres=gpu:{OPEN_TYPE}:1"
    first = slurm.submit("alice", asked, f"--nodelist={OPEN_NODE.name}", script="sleep 600")
    try:
        slurm.wait_for(first, "RUNNING")
        index = slurm.job(first)["GRES"].partition("IDX:")[2][0]
        devices = opened(slurm, OPEN_NODE, asked)
    finally:
        slurm.cancel(first)
    taken = f"/dev/nvidia{index}"
    assert taken in OPEN_NODE.devices[OPEN_TYPE]
    (other,) = [path for path in devices if devices[path] == "open"]
    assert other in OPEN_NODE.devices[OPEN_TYPE]
    assert devices == only(OPEN_NODE, other)
    assert other != taken, "the other job's GPU could be opened"


@pytest.mark.parametrize(
    ("node", "kind"),
    [(node, kind) for node in CLUSTER for kind in node.devices],
    ids=lambda value: value.name if isinstance(value, Node) else value,
)
def test_a_job_that_asks_for_all_gpus_of_a_type_gets_the_devices_of_that_type(
    slurm: Slurm, node: Node, kind: str
) -> None:
    devices = node.devices[kind]
    assert opened(slurm, node, f"--gres=gpu:{kind}:{len(devices)}") == only(node, *devices)


def test_a_job_that_asks_for_all_gpus_of_a_node_gets_all(slurm: Slurm) -> None:
    devices = OPEN_NODE.all_devices
    assert opened(slurm, OPEN_NODE, f"--gres=gpu:{len(devices)}") == only(OPEN_NODE, *devices)


@nodes
def test_a_job_that_asks_for_no_gpu_gets_none(slurm: Slurm, node: Node) -> None:
    assert opened(slurm, node) == only(node)


def test_a_job_over_its_memory_ends_out_of_memory(slurm: Slurm) -> None:
    job_id = slurm.submit("alice", "--mem=100M", script=TAKE_MEMORY)
    slurm.wait_for(job_id, "OUT_OF_MEMORY", 60)
    until(lambda: slurm.accounted(job_id, "State") == "OUT_OF_MEMORY", "the same in accounting", 30)


@pytest.mark.slow
def test_five_users_share_a_core_and_a_session_starts_where_the_first_row_is_full(
    slurm: Slurm, alice: Visitor
) -> None:
    room = OPEN_NODE.cpus * USERS_PER_CORE
    jobs = [(OPEN_NODE.name, room), (COURSE_NODE.name, COURSE_NODE.cpus)]
    options = ("--cpus-per-task=1", "--mem=50M")
    try:
        for node, number in jobs:
            slurm.submit("bob", f"--array=1-{number}", *on(node), *options, script="sleep 600")
        busy = room + COURSE_NODE.cpus
        until(lambda: running_of_bob(slurm) == busy, f"{busy} running jobs", 2 * START_SECONDS)
        assert slurm.node(COURSE_NODE.name)["CPUAlloc"] == str(COURSE_NODE.cpus)

        one_more = slurm.submit("bob", *on(OPEN_NODE.name), *options, script="sleep 600")
        until(lambda: slurm.job(one_more)["Reason"] == "Resources", "a job that waits for room", 30)
        with running(slurm, alice, **TO_THE_COURSE) as session:
            assert session.job["NodeList"] == COURSE_NODE.name
        assert slurm.state(one_more) == "PENDING"
    finally:
        slurm.cancel(*set(slurm.queue("bob")))


def running_of_bob(slurm: Slurm) -> int:
    """How many jobs of bob run."""
    return len(slurm.login.run("squeue", "-h", "-r", "-u", "bob", "-t", "RUNNING", "-o", "%A").split())
