"""The figures of the form stay true whatever happens to nodes, and what it advises does start."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab import pages
from tests.lab.cluster import CLUSTER, COURSE, COURSE_NODE, OPEN_NODE, OPEN_TYPE, USERS_PER_CORE
from tests.lab.sessions import SMALL
from tests.lab.slurm import on
from tests.lab.test_availability import FOLLOW_SECONDS, PATH, Stream, by_hub, by_slurm, current
from tests.lab.test_restart import full_nodes
from tests.lab.visitor import Visitor
from tests.lab.waiting import until

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm

ADVICE = "/hub/berth/api/advice"
ESTIMATE = "/hub/berth/estimate"
LARGE: dict[str, str] = {**SMALL, "cores": "2"}
ASKED = ("reservation", "account", "cores", "memory", "gpus", "time")
QUEUED_SECONDS = 30.0
HELD = "labtest"


def advised(visitor: Visitor, **asked: str) -> dict[str, Any]:
    """What is said beside Start."""
    answer = visitor.http.get(ADVICE, params={**SMALL, **asked})
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def advised_soon(visitor: Visitor, *, now: bool, **asked: str) -> dict[str, Any]:
    """The same, once the hub has heard of what a test just did."""

    def agrees() -> dict[str, Any] | None:
        found = advised(visitor, **asked)
        return found if found["now"] is now else None

    found = until(agrees, f"advice: now is {now}", FOLLOW_SECONDS)
    assert found is not None
    return found


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


@contextmanager
def state(login: Machine, node: str, wanted: str) -> Iterator[None]:
    """A node in a state that an administrator gave it, and back in service afterwards."""
    login.run("scontrol", "update", f"nodename={node}", f"state={wanted}", "reason=tests")
    try:
        yield
    finally:
        login.run("scontrol", "update", f"nodename={node}", "state=resume")


@contextmanager
def reserved(login: Machine, nodes: str, *options: str) -> Iterator[None]:
    """A reservation of nodes, running jobs or not."""
    flags = "flags=ignore_jobs,overlap"
    login.run("scontrol", "create", "reservation", f"reservation={HELD}", f"nodes={nodes}", flags, *options)
    try:
        yield
    finally:
        login.run("scontrol", "delete", f"reservation={HELD}")


@contextmanager
def working(slurm: Slurm, *options: str, number: int = 1) -> Iterator[list[int]]:
    """Running jobs of bob's on the open node."""
    jobs = [slurm.submit("bob", *on(OPEN_NODE.name), *options, script="sleep 600") for _ in range(number)]
    try:
        for job_id in jobs:
            slurm.wait_for(job_id, "RUNNING")
        yield jobs
    finally:
        slurm.cancel(*jobs)


@pytest.fixture(autouse=True)
def _as_before(slurm: Slurm, alice: Visitor) -> Iterator[None]:
    """Every test leaves all nodes in service, and a hub that knows it."""
    yield
    assert all(slurm.takes_jobs(node.name) for node in CLUSTER)
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


def test_a_node_that_drains_under_a_job_is_not_counted_although_half_of_it_is_free(
    slurm: Slurm, login: Machine, alice: Visitor
) -> None:
    with working(slurm, f"--gres=gpu:{OPEN_TYPE}:1", "--mem=1000M"):
        agreed(slurm, alice)
        with state(login, OPEN_NODE.name, "drain"):
            assert login.run("sinfo", "-h", "-N", "-n", OPEN_NODE.name, "-o", "%T") == "draining"
            agreed(slurm, alice)


def test_jobs_take_memory_and_gpus_out_of_the_cell_that_their_node_moves_to(
    slurm: Slurm, alice: Visitor
) -> None:
    with ExitStack() as jobs:
        for gres, memory in ((f"--gres=gpu:{OPEN_TYPE}:1", 700), ("--gres=none", 300)):
            jobs.enter_context(working(slurm, gres, f"--mem={memory}M"))
            agreed(slurm, alice)
        assert slurm.free_memory(OPEN_NODE.name) == OPEN_NODE.memory - 1000


def test_on_a_shared_node_a_session_gets_what_is_left_in_one_row_as_slurm_would_give_it(
    slurm: Slurm, alice: Visitor
) -> None:
    """Each core is shared, and each row has one core left: there are many, but no two for one session."""
    width = OPEN_NODE.cpus - 1
    jobs: list[int] = []
    with working(slurm, f"--cpus-per-task={width}", "--mem=100M", number=USERS_PER_CORE):
        try:
            found = advised_soon(alice, now=False, cores="2", **gpus())
            assert {"cores": "1"} in [item["values"] for item in found["suggestions"]]
            shape = (*on(OPEN_NODE.name), f"--gres=gpu:{OPEN_TYPE}:1")
            jobs.append(slurm.submit("bob", *shape, "--cpus-per-task=2", script="sleep 60"))
            until(
                lambda: slurm.job(jobs[0])["Reason"] == "Resources", "two cores to wait for", QUEUED_SECONDS
            )
            slurm.cancel(jobs.pop())
            assert advised_soon(alice, now=True, cores="1", **gpus())["probably"] is False
            jobs.append(slurm.submit("bob", *shape, "--cpus-per-task=1", script="sleep 60"))
            slurm.wait_for(jobs[0], "RUNNING")
        finally:
            slurm.cancel(*jobs)


def gpus() -> dict[str, str]:
    """A choice that keeps a request on nodes of the open node's type."""
    return {"gpus": f"{OPEN_TYPE}:1"}


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
        assert advised(alice, **own)["now"] is True
        assert bob.http.get(PATH, params=own).status_code == 400
        assert bob.http.get(ADVICE, params={**SMALL, "account": "proj_b", **own}).status_code == 400
        job_id = slurm.submit("alice", f"--reservation={HELD}", script="sleep 60")
        try:
            slurm.wait_for(job_id, "RUNNING")
        finally:
            slurm.cancel(job_id)
    until(lambda: alice.http.get(PATH, params=own).status_code == 400, "an end of the reservation", 20)


def test_the_node_of_a_course_is_free_for_those_who_choose_its_reservation(
    slurm: Slurm, bob: Visitor
) -> None:
    document = bob.http.get(PATH, params={"reservation": COURSE}).raise_for_status().json()
    row = next(row for row in document["rows"] if row["gpu_type"] in COURSE_NODE.devices)
    assert row["nodes"][len(COURSE_NODE.devices[row["gpu_type"]])] == 1
    assert max(filter(None, row["memory_mib"])) == slurm.free_memory(COURSE_NODE.name)
    assert advised(bob, account="proj_b", reservation=COURSE)["now"] is True


def test_a_shorter_session_is_advised_before_maintenance_and_does_start(
    slurm: Slurm, login: Machine, alice: Visitor
) -> None:
    names = ",".join(node.name for node in CLUSTER)
    options = ("starttime=now+90minutes", "duration=60", "users=root", "flags=maint,ignore_jobs,overlap")
    jobs: list[int] = []
    with reserved(login, names, *options):
        try:
            found = advised_soon(alice, now=False, time="02:00:00")
            assert "reserved for something else" in found["sentence"]
            assert found["suggestions"][0]["values"] == {"time": "01:00:00"}
            jobs = [slurm.submit("alice", f"--time={minutes}", script="sleep 60") for minutes in (120, 60)]
            slurm.wait_for(jobs[1], "RUNNING")
            assert slurm.state(jobs[0]) == "PENDING"
        finally:
            slurm.cancel(*jobs)


def test_with_full_nodes_nothing_can_start_and_slurm_estimates_when(slurm: Slurm, alice: Visitor) -> None:
    with full_nodes(slurm):
        found = advised_soon(alice, now=False)
        assert "no node has that much free" in found["sentence"]
        assert found["suggestions"] == []
        estimate = estimated(alice)
        assert "Slurm expects to start this request at" in estimate["sentence"]
        asked = slurm.login.run(
            "sh", "-c", "sbatch --test-only -A proj_a -c1 --mem=500M --time=30 --wrap=: 2>&1", user="alice"
        )
        (start,) = re.findall(r"to start at (\S+) using", asked)
        told = slurm.login.run("date", "+%s", "-d", start)
        assert abs(estimate["start"] - int(told)) < 120
        assert estimate["shown_start"] in estimate["sentence"]


def test_with_room_slurm_starts_at_once_as_advised(alice: Visitor) -> None:
    assert advised_soon(alice, now=True, time="01:00:00")["sentence"] == "Can start now."
    assert estimated(alice, time="01:00:00")["sentence"] == "Slurm would start this request at once."


def estimated(visitor: Visitor, **asked: str) -> dict[str, Any]:
    """What the button "When could it start?" gets."""
    answer = visitor.call("POST", ESTIMATE, data={**SMALL, **asked}, headers={"Accept": "application/json"})
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_without_scripts_the_form_comes_back_with_the_estimate(slurm: Slurm, alice: Visitor) -> None:
    page = alice.form_page()
    form = pages.form(page, "spawn_form")
    button = pages.parse(page).select_one("#berth-estimate")
    assert button is not None
    values = {name: field.chosen for name, field in form.fields.items()} | dict(SMALL) | {"time": "02:00:00"}
    parts = {name: (None, value) for name, value in (form.hidden | values).items()}
    answer = alice.http.post(
        str(page.url.join(str(button["formaction"]))), files=parts, follow_redirects=False
    )
    again = alice.http.get(answer.headers["Location"])
    said = pages.parse(again).select_one("#berth-estimate-answer")
    assert said is not None
    assert said.get_text(strip=True) == "Slurm would start this request at once."
    assert pages.form(again, "spawn_form").fields["time"].chosen == "02:00:00"
    assert slurm.queue("alice") == []


def test_an_estimate_needs_the_token_of_the_form(alice: Visitor) -> None:
    assert alice.http.post(ESTIMATE, data=SMALL).status_code == 403


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
