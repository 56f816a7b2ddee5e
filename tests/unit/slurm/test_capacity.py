from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from berth.slurm.answers import records
from berth.slurm.free import capacity
from tests.unit.slurm import recorded
from tests.unit.slurm.made import gpu_jobs, gpu_nodes, job, node


def test_free_cores_are_counted_from_the_jobs_and_not_from_the_union_of_rows() -> None:
    full = node("n1", "ALLOCATED", alloc_cpus=4, alloc_memory_mib=400)
    (room,) = capacity.rooms([full], [job(number, 1) for number in range(4)], shared_by=5)
    assert (room.cores, room.widest, room.memory_mib) == (16, 4, 3600)


def test_twenty_one_core_jobs_fill_a_node_of_four_cores_shared_by_five() -> None:
    jobs = [job(number, 1) for number in range(20)]
    one_less, full = (capacity.rooms([node()], some, shared_by=5)[0] for some in (jobs[1:], jobs))
    assert (one_less.cores, one_less.widest) == (1, 1)
    assert (full.cores, full.widest) == (0, 0)


def test_one_job_cannot_get_the_cores_of_several_rows() -> None:
    (room,) = capacity.rooms([node()], [job(number, 3) for number in range(5)], shared_by=5)
    assert (room.cores, room.widest) == (5, 1)


def test_only_jobs_that_are_alive_hold_something() -> None:
    states = ["PENDING", "COMPLETED", "CANCELLED", "COMPLETING", "SUSPENDED", "CONFIGURING"]
    jobs = [job(number, 1, state=state) for number, state in enumerate(states)]
    (room,) = capacity.rooms([node()], jobs, shared_by=1)
    assert (room.cores, room.memory_mib) == (1, 3700)


def test_what_the_node_says_is_taken_counts_when_no_job_explains_it() -> None:
    busy = node(alloc_cpus=3, alloc_memory_mib=1000, gpus={"a100": 2}, gpus_used={"a100": 1})
    (room,) = capacity.rooms([busy], [], shared_by=5)
    assert (room.cores, room.memory_mib, room.gpus) == (17, 3000, {"a100": 1})


def test_a_job_that_started_after_the_nodes_were_asked_counts() -> None:
    fresh = node(gpus={"a100": 2, "h100": 1})
    (room,) = capacity.rooms([fresh], [job(1, 1, gpus={"a100": 1})], shared_by=5)
    assert (room.memory_mib, room.gpus) == (3900, {"a100": 1, "h100": 1})


def test_a_job_on_two_nodes_holds_its_share_of_each() -> None:
    wide = job(1, 5, "n1", "n2", gpus={"a100": 2}, memory_mib=1000)
    two = [node(name, gpus={"a100": 2}) for name in ("n1", "n2")]
    rooms = capacity.rooms(two, [wide], shared_by=2)
    assert [(room.cores, room.memory_mib, room.gpus) for room in rooms] == [(5, 3000, {"a100": 1})] * 2


@pytest.mark.parametrize("version", recorded.VERSIONS)
def test_the_figures_of_a_real_cluster(version: str) -> None:
    nodes = records.parse_nodes(recorded.document(version, "nodes"))
    jobs = records.parse_jobs(recorded.document(version, "squeue"))
    rooms = {room.node.name: room for room in capacity.rooms(nodes, jobs, shared_by=5)}
    # berth 2, percpu 3, gpus 1, suspended 1 and two tasks of 1, on a node of which Slurm says ALLOCATED
    assert (rooms["gpu1"].cores, rooms["gpu1"].gpus) == (20 - 9, {"a100": 0})
    assert rooms["gpu1"].memory_mib == 4000 - (800 + 600 + 300 + 300 + 100 + 100)


@given(st.lists(st.integers(1, 4), max_size=25), st.integers(1, 6))
def test_what_is_free_never_exceeds_the_node_nor_falls_below_nothing(
    cores: list[int], shared_by: int
) -> None:
    jobs = [job(number, count) for number, count in enumerate(cores)]
    (room,) = capacity.rooms([node()], jobs, shared_by=shared_by)
    assert 0 <= room.widest <= min(4, room.cores) or room.cores == room.widest == 0
    assert room.cores == max(0, 4 * shared_by - sum(cores))


def test_a_gpu_of_which_a_part_is_taken_is_not_free() -> None:
    shared = node(gpus={"a100": 4}, gpus_used={"a100": 1}, gpus_shared={"a100": 2})
    (room,) = capacity.rooms([shared], [], shared_by=5)
    assert room.gpus == {"a100": 1}


def test_parts_without_a_type_may_be_of_any_type_of_the_node() -> None:
    shared = node(gpus={"a100": 2, "h100": 1}, gpus_shared={"": 1})
    (room,) = capacity.rooms([shared], [], shared_by=5)
    assert room.gpus == {"a100": 1, "h100": 0}


def test_a_job_whose_gpus_have_no_type_holds_some_of_the_nodes_type() -> None:
    """The site accounts for GPUs without their types, and the node has not been asked since the job began."""
    (room,) = capacity.rooms([node(gpus={"a100": 2})], [job(gpus={"": 1})], shared_by=5)
    assert room.gpus == {"a100": 1}


def test_free_gpus_are_those_that_slurm_would_give() -> None:
    """On `typed` and `mps`, whole GPUs were asked for and had to wait; on `both` one was given away twice."""
    found = {
        room.node.name: room.gpus for room in capacity.rooms(gpu_nodes().values(), gpu_jobs(), shared_by=5)
    }
    assert found == {
        "both": {"": 0},
        "cpu": {},
        "mig": {"1g.5gb": 0, "a100": 1},
        "mps": {"a100": 0},
        "typed": {"a100": 0, "h100": 0},
        "untyped": {"": 0},
    }
    waiting = {item.name for item in gpu_jobs() if item.pending}
    assert waiting == {"g1", "p3"}


@pytest.mark.parametrize(
    ("less", "covered"),
    [
        ({}, True),
        ({"cpus": 3, "memory_mib": 3999, "gpus": {"a100": 1}}, True),
        ({"gpus": {"a100": 2, "h100": 0}}, True),
        ({"cpus": 5}, False),
        ({"memory_mib": 4001}, False),
        ({"gpus": {"a100": 3}}, False),
        ({"gpus": {"a100": 1, "h100": 1}}, False),
    ],
)
def test_a_room_covers_one_with_no_more_of_anything(less: dict[str, Any], *, covered: bool) -> None:
    known: dict[str, Any] = {"gpus": {"a100": 2}} | less
    room, other = capacity.rooms([node(gpus={"a100": 2}), node(**known)], [], shared_by=1)
    assert room.covers(other) is covered
