"""The figures of the form stay true whatever happens to nodes, and streams end when they should."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.circumstances import HELD, reserved, state, working
from tests.lab.cluster import CLUSTER, COURSE, COURSE_NODE, OPEN_NODE, OPEN_TYPE
from tests.lab.test_availability import FOLLOW_SECONDS, PATH, Stream, by_hub, by_slurm, current
from tests.lab.visitor import Visitor
from tests.lab.waiting import until

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm


def agreed(slurm: Slurm, visitor: Visitor) -> None:
    """The hub comes to say what scontrol says: GPUs, and the most memory on one node of each cell."""

    def agrees() -> bool:
        document = current(visitor)
        return by_hub(document) == by_slurm(slurm) and memory_by_hub(document) == memory_by_slurm(slurm)

    until(agrees, f"a table like {by_slurm(slurm)}", FOLLOW_SECONDS)


def memory_by_hub(document: dict[str, Any]) -> dict[tuple[str | None, int], int]:
    """The memory by type and number of free GPUs, of cells that have nodes."""
    return {
        (row["gpu_type"], free): row["memory_mib"][free]
        for row in document["rows"]
        for free, nodes in enumerate(row["nodes"])
        if nodes
    }


def memory_by_slurm(slurm: Slurm) -> dict[tuple[str | None, int], int]:
    """The same by scontrol; nothing is to be had on a node of a reservation."""
    most: dict[tuple[str | None, int], int] = {}
    reserved = slurm.reserved_nodes()
    for name in (node.name for node in CLUSTER if slurm.takes_jobs(node.name)):
        gpus: dict[Any, int] = dict(slurm.free_gpus(name)) or {None: 0}
        for kind, free in gpus.items():
            key = (kind, 0 if name in reserved else free)
            most[key] = max(most.get(key, 0), 0 if name in reserved else slurm.free_memory(name))
    return most


@pytest.fixture(autouse=True)
def _as_before(slurm: Slurm, alice: Visitor) -> Iterator[None]:
    """Every test leaves all nodes in service, and a hub that knows it."""
    yield
    until(
        lambda: all(slurm.takes_jobs(node.name) for node in CLUSTER), "all nodes in service", FOLLOW_SECONDS
    )
    agreed(slurm, alice)


@pytest.mark.parametrize("wanted", ["drain", "down", "fail"])
def test_a_node_out_of_service_leaves_the_table_and_comes_back(
    slurm: Slurm, login: Machine, alice: Visitor, wanted: str
) -> None:
    agreed(slurm, alice)
    with state(login, OPEN_NODE.name, wanted):
        assert not slurm.takes_jobs(OPEN_NODE.name)
        assert wanted in login.run("sinfo", "-h", "-N", "-n", OPEN_NODE.name, "-o", "%T")
        agreed(slurm, alice)


@pytest.mark.parametrize(("wanted", "shown"), [("drain", "draining"), ("fail", "fail")])
def test_a_node_that_drains_or_fails_under_a_job_is_not_counted_although_half_of_it_is_free(
    slurm: Slurm, login: Machine, alice: Visitor, wanted: str, shown: str
) -> None:
    with working(slurm, f"--gres=gpu:{OPEN_TYPE}:1", "--mem=1000M") as (job_id,):
        agreed(slurm, alice)
        with state(login, OPEN_NODE.name, wanted):
            # Until 26.05 a node that fails with a part of it in use is "fail" and not "failing".
            assert login.run("sinfo", "-h", "-N", "-n", OPEN_NODE.name, "-o", "%T").startswith(shown)
            assert slurm.state(job_id) == "RUNNING"
            agreed(slurm, alice)


def test_jobs_take_memory_and_gpus_out_of_the_cell_that_their_node_moves_to(
    slurm: Slurm, alice: Visitor
) -> None:
    with ExitStack() as jobs:
        for gres, memory in ((f"--gres=gpu:{OPEN_TYPE}:1", 700), ("--gres=none", 300)):
            jobs.enter_context(working(slurm, gres, f"--mem={memory}M"))
            agreed(slurm, alice)
        assert slurm.free_memory(OPEN_NODE.name) == OPEN_NODE.memory - 1000


def test_a_reservation_takes_nodes_from_others_and_gives_them_to_its_users(
    slurm: Slurm, login: Machine, alice: Visitor, bob: Visitor
) -> None:
    own = {"reservation": HELD}
    assert bob.http.get(PATH, params=own).status_code == 400
    with reserved(login, OPEN_NODE.name, "starttime=now", "duration=120", "users=alice"):
        agreed(slurm, alice)
        document = alice.http.get(PATH, params=own).raise_for_status().json()
        counts = {row["gpu_type"]: row["nodes"] for row in document["rows"]}
        for kind, paths in OPEN_NODE.devices.items():
            assert counts[kind][len(paths)] == 1
        assert HELD in document["caption"]
        assert bob.http.get(PATH, params=own).status_code == 400
    until(lambda: alice.http.get(PATH, params=own).status_code == 400, "an end of the reservation", 20)


def test_the_node_of_a_course_is_free_for_those_who_choose_its_reservation(
    slurm: Slurm, bob: Visitor
) -> None:
    document = bob.http.get(PATH, params={"reservation": COURSE}).raise_for_status().json()
    row = next(row for row in document["rows"] if row["gpu_type"] in COURSE_NODE.devices)
    assert row["nodes"][len(COURSE_NODE.devices[row["gpu_type"]])] == 1
    assert max(filter(None, row["memory_mib"])) == slurm.free_memory(COURSE_NODE.name)


def test_a_stream_ends_when_its_reader_logs_out(context: ssl.SSLContext) -> None:
    with Visitor("bob", context) as leaving:
        leaving.log_in()
        stream = Stream(leaving, context)
        assert stream.next()["rows"]
        leaving.http.get("/hub/logout")
        assert stream.ended()
        assert leaving.http.get(PATH).status_code == 403


def test_a_stream_does_not_keep_the_hub_from_stopping(
    login: Machine, alice: Visitor, context: ssl.SSLContext
) -> None:
    stream = Stream(alice, context)
    assert stream.next()["rows"]
    started = time.monotonic()
    login.run("systemctl", "restart", "berth-hub")
    assert stream.ended()
    until(lambda: alice.http.get(PATH).status_code == 200, "a hub that answers", 60)
    limit = login.property("berth-hub", "TimeoutStopUSec")
    assert "Killing" not in login.journal(f"-{time.monotonic() - started + 5:.0f}s", "berth-hub"), limit
