from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from berth.slurm import capacity, records
from berth.slurm.capacity import GpuRow, Request
from berth.slurm.records import Job, Node, Reservation
from tests.unit.slurm import recorded

NOW = 1000.0


def node(name: str = "n1", *states: str, **more: Any) -> Node:
    known: dict[str, Any] = {"cpus": 4, "memory_mib": 4000, "alloc_memory_mib": 0, "alloc_cpus": 0}
    return Node(name=name, states=frozenset(states or {"IDLE"}), **(known | more))


def job(number: int = 1, cpus: int = 1, *nodes: str, **more: Any) -> Job:
    known: dict[str, Any] = {
        "user": "u",
        "account": "a",
        "partition": "p",
        "state": "RUNNING",
        "memory_mib": 100,
    }
    return Job(job_id=number, name="j", cpus=cpus, nodes=nodes or ("n1",), **(known | more))


def held(name: str = "course", start: int = 0, end: int = 5000, *nodes: str) -> Reservation:
    return Reservation(name, (), (), (), None, nodes or ("n1",), start, end)


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


def test_the_table_has_a_row_for_each_type_and_counts_nodes_by_free_gpus() -> None:
    nodes = [
        node("n1", gpus={"a100": 2}),
        node("n2", gpus={"a100": 2}, gpus_used={"a100": 1}),
        node("n3", gpus={"a100": 4}),
        node("n4", gpus={"h100": 1}, gpus_used={"h100": 1}),
        node("n5", gpus={"": 2}),
        node("n6"),
        node("n7", gpus={"a100": 1, "h100": 1}),
    ]
    assert capacity.availability(nodes, [], shared_by=5, now=NOW) == [
        GpuRow("", 2, {2: 1}),
        GpuRow("a100", 4, {1: 2, 2: 1, 4: 1}),
        GpuRow("h100", 1, {0: 1, 1: 1}),
        GpuRow(None, 0, {0: 1}),
    ]


@pytest.mark.parametrize(
    "state",
    ["DOWN", "DRAIN", "FAIL", "NOT_RESPONDING", "MAINTENANCE", "PLANNED", "POWERED_DOWN", "UNKNOWN"],
)
def test_a_node_that_takes_no_job_is_not_counted(state: str) -> None:
    away = node("n1", "IDLE", state, gpus={"a100": 2})
    assert capacity.availability([away], [], shared_by=5, now=NOW) == []
    assert not capacity.can_start_now(Request(1, 100), [away], [], shared_by=5, now=NOW)


@pytest.mark.parametrize(
    ("reservations", "usable", "free"),
    [
        ([held()], (), 0),
        ([held()], ("course",), 2),
        ([held(), held("other")], ("course",), 0),
        ([held(start=1001)], (), 2),
        ([held(end=1000)], (), 2),
        ([held("course", 0, 5000, "n2")], (), 2),
    ],
)
def test_a_node_in_an_active_reservation_is_free_only_for_those_who_use_it(
    reservations: list[Reservation],
    usable: tuple[str, ...],
    free: int,
) -> None:
    gpus = node(gpus={"a100": 2})
    rows = capacity.availability([gpus], [], reservations, shared_by=5, now=NOW, usable=usable)
    assert rows == [GpuRow("a100", 2, {free: 1})]


def test_a_node_that_slurm_says_is_reserved_is_not_free_although_the_list_is_older() -> None:
    reserved = node(gpus={"a100": 2}, reservation="course")
    assert capacity.availability([reserved], [], shared_by=5, now=NOW) == [GpuRow("a100", 2, {0: 1})]


def test_gpus_beside_which_no_memory_or_core_is_left_are_not_free() -> None:
    gpus = {"a100": 2}
    no_memory = node("n1", gpus=gpus, alloc_memory_mib=4000)
    no_core = node("n2", gpus=gpus)
    jobs = [job(number, 4, "n2") for number in range(5)]
    rows = capacity.availability([no_memory, no_core], jobs, shared_by=5, now=NOW)
    assert rows == [GpuRow("a100", 2, {0: 2})]


@pytest.mark.parametrize(
    ("request_", "fits"),
    [
        (Request(4, 3000), True),
        (Request(5, 100), False),
        (Request(1, 3001), False),
        (Request(1, 100, gpus=1), True),
        (Request(1, 100, gpus=2), True),
        (Request(1, 100, gpus=3), False),
        (Request(1, 100, gpus=1, gpu_type="a100"), True),
        (Request(1, 100, gpus=2, gpu_type="a100"), False),
        (Request(1, 100, gpus=1, gpu_type="v100"), False),
        (Request(1, 100, gpus=0, gpu_type="v100"), True),
    ],
)
def test_a_session_can_start_where_everything_it_asks_for_is_on_one_node(
    request_: Request, *, fits: bool
) -> None:
    nodes = [node(alloc_memory_mib=1000, gpus={"a100": 2, "h100": 1}, gpus_used={"a100": 1})]
    assert capacity.can_start_now(request_, nodes, [], shared_by=5, now=NOW) is fits


def test_what_is_spread_over_nodes_does_not_add_up() -> None:
    nodes = [node("n1", gpus={"a100": 1}), node("n2", gpus={"a100": 1})]
    assert not capacity.can_start_now(Request(1, 100, gpus=2), nodes, [], shared_by=5, now=NOW)


@pytest.mark.parametrize(
    ("request_", "reservations", "starts"),
    [
        (Request(1, 100, minutes=60), [held()], False),
        (Request(1, 100, minutes=60, reservation="course"), [held()], True),
        (Request(1, 100, minutes=60, reservation="course"), [held("course", 2000)], False),
        (Request(1, 100, minutes=60, reservation="course"), [held("course", 0, 5000, "n9")], False),
        (Request(1, 100, minutes=60, reservation="gone"), [], False),
        (Request(1, 100, minutes=60), [held("course", 4000)], False),
        (Request(1, 100, minutes=40), [held("course", 4000)], True),
        (Request(1, 100), [held("course", 10**9)], False),
    ],
)
def test_reservations_now_and_to_come_decide_too(
    request_: Request,
    reservations: list[Reservation],
    *,
    starts: bool,
) -> None:
    assert capacity.can_start_now(request_, [node()], [], reservations, shared_by=5, now=NOW) is starts


@pytest.mark.parametrize("version", recorded.VERSIONS)
def test_the_figures_of_a_real_cluster(version: str) -> None:
    nodes = records.parse_nodes(recorded.document(version, "nodes"))
    jobs = records.parse_jobs(recorded.document(version, "squeue"))
    reservations = records.parse_reservations(recorded.document(version, "reservations"))
    now = next(item.start for item in reservations if item.name == "course") + 60.0
    rooms = {room.node.name: room for room in capacity.rooms(nodes, jobs, shared_by=5)}
    # berth 2, percpu 3, gpus 1, suspended 1 and two tasks of 1, on a node of which Slurm says ALLOCATED
    assert (rooms["gpu1"].cores, rooms["gpu1"].gpus) == (20 - 9, {"a100": 0})
    assert rooms["gpu1"].memory_mib == 4000 - (800 + 600 + 300 + 300 + 100 + 100)
    # gpu3 and cpu1 are out of service; gpu2 is in the active reservation, with both of its GPUs taken
    rows = capacity.availability(nodes, jobs, reservations, shared_by=5, now=now)
    assert rows == [GpuRow("a100", 2, {0: 2})]
    can = capacity.can_start_now
    assert can(Request(4, 1000, minutes=60), nodes, jobs, reservations, shared_by=5, now=now)
    assert not can(Request(1, 2000, minutes=60), nodes, jobs, reservations, shared_by=5, now=now)
    assert can(
        Request(1, 2000, reservation="course", minutes=30), nodes, jobs, reservations, shared_by=5, now=now
    )


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


def gpu_nodes() -> dict[str, Node]:
    return {item.name: item for item in records.parse_nodes(recorded.document("24.11", "gpus-nodes"))}


def gpu_jobs() -> list[Job]:
    return records.parse_jobs(recorded.document("24.11", "gpus-squeue"))


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


def test_slices_and_types_have_a_row_each_in_the_table_of_free_gpus() -> None:
    rows = capacity.availability(gpu_nodes().values(), gpu_jobs(), shared_by=5, now=NOW)
    # typed and mps are not among them: they are promised to the jobs that wait there
    assert [(row.gpu_type, row.total, row.nodes) for row in rows] == [
        ("", 2, {0: 2}),
        ("1g.5gb", 2, {0: 1}),
        ("a100", 1, {1: 1}),
        (None, 0, {0: 1}),
    ]
