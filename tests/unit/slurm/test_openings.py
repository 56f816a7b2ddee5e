from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from berth.slurm.answers import records
from berth.slurm.free import capacity, openings
from berth.slurm.free.capacity import Request
from berth.slurm.free.openings import Cell, GpuRow, Openings
from tests.unit.slurm import recorded
from tests.unit.slurm.made import NOW, gpu_jobs, gpu_nodes, held, job, node, waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from berth.slurm.answers.records import Job, Node, Reservation


def count(
    nodes: Sequence[Node], jobs: Sequence[Job] = (), *reservations: Reservation, shared_by: int = 5
) -> Openings:
    return openings.count(nodes, jobs, reservations, shared_by=shared_by, now=NOW)


def numbers(found: Openings, reservation: str | None = None) -> dict[str | None, dict[int, int]]:
    """For each type, the number of nodes by their free GPUs."""
    return {
        row.gpu_type: {free: cell.nodes for free, cell in row.cells.items()}
        for row in found.tables[reservation]
    }


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
    found = count(nodes)
    assert numbers(found) == {"": {2: 1}, "a100": {1: 2, 2: 1, 4: 1}, "h100": {0: 1, 1: 1}, None: {0: 1}}
    assert [row.total for row in found.tables[None]] == [2, 4, 1, 0]


def test_a_cell_tells_the_most_that_one_session_gets_on_one_of_its_nodes() -> None:
    gpus = {"a100": 2}
    nodes = [node("n1", gpus=gpus, alloc_memory_mib=3000), node("n2", gpus=gpus), node("n3", gpus=gpus)]
    jobs = [job(1, 3, "n2", memory_mib=2500), job(2, 1, "n3", gpus={"a100": 1})]
    assert count(nodes, jobs, shared_by=1).tables[None] == (
        GpuRow("a100", 2, {1: Cell(1, 3, 3900), 2: Cell(2, 4, 1500)}),
    )


def test_cores_in_a_cell_are_those_of_one_row_of_an_oversubscribed_node() -> None:
    jobs = [job(number, 3, memory_mib=10) for number in range(5)]
    assert count([node()], jobs).tables[None] == (GpuRow(None, 0, {0: Cell(1, 1, 3950)}),)


@pytest.mark.parametrize(
    "state",
    ["DOWN", "DRAIN", "FAIL", "NOT_RESPONDING", "MAINTENANCE", "PLANNED", "POWERED_DOWN", "UNKNOWN"],
)
def test_a_node_that_takes_no_job_is_not_counted(state: str) -> None:
    found = count([node("n1", "IDLE", state, gpus={"a100": 2})])
    assert numbers(found) == {}
    assert not found.starts(Request(1, 100), NOW)


@pytest.mark.parametrize(
    ("reservations", "reservation", "wanted"),
    [
        ([held()], None, {0: 1}),
        ([held()], "course", {2: 1}),
        ([held(), held("other")], "course", {0: 1}),
        ([held(start=1001)], None, {2: 1}),
        ([held(start=1001)], "course", {0: 1}),
        ([held(end=1000)], None, {2: 1}),
        ([held("course", 0, 5000, "n2")], None, {2: 1}),
    ],
)
def test_a_node_in_an_active_reservation_is_free_only_for_those_who_use_it(
    reservations: list[Reservation], reservation: str | None, wanted: dict[int, int]
) -> None:
    found = count([node(gpus={"a100": 2})], [], *reservations)
    assert numbers(found, reservation) == {"a100": wanted}


def test_in_a_reservation_only_its_own_nodes_are_counted() -> None:
    nodes = [node("n1", gpus={"a100": 2}), node("n2", gpus={"a100": 2}), node("n3", gpus={"h100": 1})]
    found = count(nodes, [], held("course", 0, 5000, "n1", "n3"))
    assert numbers(found, "course") == {"a100": {2: 1}, "h100": {1: 1}}
    assert numbers(found) == {"a100": {0: 1, 2: 1}, "h100": {0: 1}}


def test_a_node_that_slurm_says_is_reserved_is_not_free_although_the_list_is_older() -> None:
    found = count([node(gpus={"a100": 2}, reservation="course")])
    assert numbers(found) == {"a100": {0: 1}}
    assert not found.starts(Request(1, 100), NOW)


def test_gpus_beside_which_no_memory_or_core_is_left_are_not_free() -> None:
    gpus = {"a100": 2}
    nodes = [node("n1", gpus=gpus, alloc_memory_mib=4000), node("n2", gpus=gpus)]
    found = count(nodes, [job(number, 4, "n2") for number in range(5)])
    assert found.tables[None] == (GpuRow("a100", 2, {0: Cell(2, 0, 0)}),)


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
    assert count(nodes).starts(request_, NOW) is fits


def test_what_is_spread_over_nodes_does_not_add_up() -> None:
    nodes = [node("n1", gpus={"a100": 1}), node("n2", gpus={"a100": 1})]
    assert not count(nodes).starts(Request(1, 100, gpus=2), NOW)


@pytest.mark.parametrize(
    ("request_", "reservations", "starts"),
    [
        (Request(1, 100, minutes=60), [held()], False),
        (Request(1, 100, minutes=60, reservation="course"), [held()], True),
        (Request(1, 100, minutes=70, reservation="course"), [held()], True),
        (Request(1, 100, minutes=60, reservation="course"), [held(start=2000, flags=("FLEX",))], True),
        (Request(1, 100, minutes=60, reservation="course"), [held("course", 2000)], False),
        (Request(1, 100, minutes=60, reservation="course"), [held("course", 0, 5000, "n9")], False),
        (Request(1, 100, minutes=60, reservation="gone"), [], False),
        (Request(1, 100, minutes=60), [held("course", 4000)], False),
        (Request(1, 100, minutes=40), [held("course", 4000)], True),
        (Request(1, 100, minutes=60), [held("course", 0, 500)], True),
        (Request(1, 100), [held("course", 10**9, 2 * 10**9)], False),
    ],
)
def test_reservations_now_and_to_come_decide_too(
    request_: Request, reservations: list[Reservation], *, starts: bool
) -> None:
    assert count([node()], [], *reservations).starts(request_, NOW) is starts


def test_time_that_passes_since_the_snapshot_counts() -> None:
    found = count([node()], [], held("course", 4000))
    request = Request(1, 100, minutes=45)
    assert found.starts(request, 1200.0)
    assert not found.starts(request, 1400.0)


def test_jobs_ahead_are_those_that_wait_for_room_in_the_same_reservation() -> None:
    reasons = ["", "Priority", "Resources", "Dependency", "BeginTime", "JobHeldUser", "QOSMaxGRESPerUser"]
    jobs = [waiting(reason) for reason in reasons]
    jobs += [waiting("Resources", reservation="course"), job(9)]
    found = count([node()], jobs)
    assert (found.ahead[None], found.ahead["course"]) == (3, 1)


ROOMS = st.builds(
    lambda cpus, memory, gpus: node(cpus=cpus, memory_mib=memory, gpus=gpus),
    st.integers(1, 6),
    st.integers(1, 6),
    st.dictionaries(st.sampled_from(["a100", "h100"]), st.integers(1, 3)),
)


@given(st.lists(ROOMS, min_size=1, max_size=30))
def test_what_fits_on_some_node_fits_in_a_room_that_was_kept(nodes: list[Node]) -> None:
    found = count(nodes, shared_by=1)
    (pool,) = found.pools
    for room in capacity.rooms(nodes, [], shared_by=1):
        assert any(kept.covers(room) for kept in pool.rooms)
    for kept in pool.rooms:
        assert not any(other.covers(kept) for other in pool.rooms if other is not kept)


def test_five_thousand_nodes_leave_few_rooms() -> None:
    nodes = [
        node(
            f"n{n}", cpus=48, memory_mib=384000 - n, gpus={"a100": n % 5} if n % 5 else {}, alloc_cpus=n % 49
        )
        for n in range(5000)
    ]
    (pool,) = count(nodes, shared_by=1).pools
    assert len(pool.rooms) <= 5 * 49


def recorded_cluster(version: str) -> tuple[list[Node], list[Job], list[Reservation]]:
    return (
        records.parse_nodes(recorded.document(version, "nodes")),
        records.parse_jobs(recorded.document(version, "squeue")),
        records.parse_reservations(recorded.document(version, "reservations")),
    )


@pytest.mark.parametrize("version", recorded.VERSIONS)
def test_the_figures_of_a_real_cluster(version: str) -> None:
    nodes, jobs, reservations = recorded_cluster(version)
    now = next(item.start for item in reservations if item.name == "course") + 60.0
    found = openings.count(nodes, jobs, reservations, shared_by=5, now=now)
    # gpu3 and cpu1 are out of service; gpu2 is in the active reservation, with both of its GPUs taken
    assert numbers(found) == {"a100": {0: 2}}
    assert found.starts(Request(4, 1000, minutes=60), now)
    assert not found.starts(Request(1, 2000, minutes=60), now)
    assert found.starts(Request(1, 2000, reservation="course", minutes=30), now)


def test_slices_and_types_have_a_row_each_in_the_table_of_free_gpus() -> None:
    found = count(list(gpu_nodes().values()), gpu_jobs())
    # typed and mps are not among them: they are promised to the jobs that wait there
    assert numbers(found) == {"": {0: 2}, "1g.5gb": {0: 1}, "a100": {1: 1}, None: {0: 1}}
    assert [row.total for row in found.tables[None]] == [2, 2, 1, 0]
