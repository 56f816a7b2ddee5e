"""What users read while they wait and when a session has ended, and that they can always cancel."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.lab import pages
from tests.lab.circumstances import halted
from tests.lab.cluster import OPEN_NODE, OPEN_TYPE
from tests.lab.machines import LOGIN, Machine
from tests.lab.notebook import Terminal
from tests.lab.sessions import SMALL, Session, ended, running, said, session_jobs, started
from tests.lab.slurm import full_nodes
from tests.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

SECONDS = 60.0
TIME_LIMIT_SECONDS = 150.0
"""A minute is the shortest limit, and Slurm looks at limits every half minute."""
HOLD = "import time; b = bytearray(200 * 10**6); time.sleep(12)"
"""Slurm looks at memory every 10 s here; before 23.02 it knows no peak but what it saw then."""
HOLD_SECONDS = 60.0


def waiting_page(visitor: Visitor) -> str:
    """What the page says that waits for a start, without scripts."""
    page = visitor.http.get(f"/hub/spawn-pending/{visitor.name}")
    assert page.status_code == 200, said(page)
    return pages.text(page)


def home(visitor: Visitor) -> str:
    return pages.text(visitor.http.get("/hub/home"))


def until_home_says(visitor: Visitor, words: str, seconds: float = SECONDS) -> str:
    until(lambda: words in home(visitor), f"{words!r} at home of {visitor.name}", seconds)
    return home(visitor)


def memory_of(node_memory: int) -> str:
    return f"--mem={node_memory - 200}M"


# --- waiting ----------------------------------------------------------------------------------------------


def test_a_waiting_start_says_all_that_is_known_and_is_found_again(slurm: Slurm, alice: Visitor) -> None:
    try:
        with full_nodes(slurm):
            ahead = slurm.submit("bob", memory_of(OPEN_NODE.memory), "--time=60", script="sleep 60")
            job_id = started(slurm, alice, memory="2G")
            until(lambda: f"Job {job_id} waits in the queue." in waiting_page(alice), "a queued start", 30)
            until(lambda: "second in the queue of this partition" in waiting_page(alice), "its place", 30)
            page = waiting_page(alice)
            assert re.search(r"\((Priority|Resources)\)", page), page
            assert re.search(r"Waiting since you pressed Start: 0:\d\d:\d\d", page)
            event = next(event for event in alice.progress() if "status" in event)
            assert event["status"]["headline"] == f"Job {job_id} waits in the queue."
            assert ["Place", "second in the queue of this partition"] in event["status"]["facts"]
            assert all(value in event["message"] for _, value in event["status"]["facts"])
            # Both for a browser that was closed: the service's bare URL, and the control panel.
            assert str(alice.http.get("/").url.path) == "/hub/spawn-pending/alice"
            assert f"Job {job_id} waits in the queue." in home(alice)
            slurm.cancel(ahead)
            until(lambda: "first in the queue of this partition" in waiting_page(alice), "its new place", 30)
            alice.press_stop()
            until_home_says(alice, f"The start was cancelled; job {job_id} has left the queue.")
            assert slurm.queue("alice") == []
    finally:
        ended(slurm, alice)


def test_the_waiting_page_is_italian_for_who_wants_it(slurm: Slurm, alice: Visitor) -> None:
    try:
        with full_nodes(slurm):
            job_id = started(slurm, alice)
            italian = {"Accept-Language": "it"}

            def page() -> httpx.Response:
                return alice.http.get("/hub/spawn-pending/alice", headers=italian)

            until(lambda: f"Il job {job_id} attende in coda." in pages.text(page()), "a queued start", 30)
            assert "Annulla" in pages.form(page()).buttons
    finally:
        ended(slurm, alice)


# --- cancelling -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["RUNNING", "ready"])
def test_a_start_can_be_cancelled_while_it_boots_and_right_as_it_becomes_ready(
    slurm: Slurm, alice: Visitor, state: str
) -> None:
    try:
        job_id = started(slurm, alice)
        if state == "RUNNING":
            slurm.wait_for(job_id, "RUNNING")
        else:
            until(lambda: (alice.server() or {}).get("ready"), "a ready session", SECONDS)
        alice.press_stop()
        until(lambda: alice.server() is None, "no session", SECONDS)
        assert slurm.queue("alice") == []
        until_home_says(alice, "Your session has ended")
    finally:
        ended(slurm, alice)


def test_a_start_can_be_cancelled_before_slurm_has_answered_the_submission(
    slurm: Slurm, login: Machine, alice: Visitor
) -> None:
    try:
        with ThreadPoolExecutor(1) as other:
            with halted(login, "slurmctld"):
                click = other.submit(alice.submit_form, **SMALL)
                until(lambda: "on its way to Slurm" in home(alice), "a start under way", SECONDS)
                alice.press_stop()
                assert "is being stopped" in home(alice)
            # The window of the click is led where the one of Cancel is.
            assert click.result().status_code == 200
        until(lambda: alice.server() is None, "no session", 2 * SECONDS)
        assert session_jobs(slurm, "alice") == []
    finally:
        ended(slurm, alice)


# --- ending -----------------------------------------------------------------------------------------------


def test_stop_my_server_frees_the_gpu_and_says_so(slurm: Slurm, alice: Visitor) -> None:
    with running(slurm, alice, gpus=f"{OPEN_TYPE}:1", account="proj_a") as session:
        node = session.job["NodeList"]
        assert slurm.free_gpus(node)[OPEN_TYPE] == len(OPEN_NODE.devices[OPEN_TYPE]) - 1
        alice.press_stop()
        until_home_says(alice, "Your session has ended; its GPU is free.")
        assert slurm.free_gpus(node)[OPEN_TYPE] == len(OPEN_NODE.devices[OPEN_TYPE])
        assert slurm.queue("alice") == []


def by_its_user(slurm: Slurm, session: Session) -> None:
    slurm.login.run("scancel", str(session.job_id), user="alice")


def by_an_operator(slurm: Slurm, session: Session) -> None:
    slurm.login.run("scancel", str(session.job_id))


def by_itself(_: Slurm, session: Session) -> None:
    assert session.visitor.lab("POST", "shutdown").status_code == 200


def by_a_time_limit(slurm: Slurm, session: Session) -> None:
    slurm.login.run("scontrol", "update", f"jobid={session.job_id}", "timelimit=1")


def by_too_little_memory(_: Slurm, session: Session) -> None:
    with Terminal(session.visitor) as terminal:
        terminal.run(f"python3 -c '{HOLD}; b += bytearray(2 * 10**9)' || echo killed", HOLD_SECONDS)
    assert session.visitor.lab("POST", "shutdown").status_code == 200


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (by_its_user, "cancelled by you outside this service"),
        (by_an_operator, "cancelled by an operator (root)"),
        (by_itself, "The session ended by itself"),
        (by_a_time_limit, "The session reached its time limit of 1 min."),
        (by_too_little_memory, "ran out of memory: it had asked for 500 MiB and used"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_after_any_other_end_the_next_page_says_why(
    slurm: Slurm, alice: Visitor, end: Callable[[Slurm, Session], None], words: str
) -> None:
    with running(slurm, alice) as session:
        end(slurm, session)
        until(lambda: alice.server() is None, "no session", TIME_LIMIT_SECONDS)
        # Who cancelled and the peak of memory are accounting's, which may answer later.
        until_home_says(alice, words)
        page = alice.http.get("/user/alice/lab")
        assert page.status_code == 424
        assert words in pages.text(page)
        form = alice.form_page()
        assert words in pages.text(form)


def test_the_history_has_what_was_asked_and_used(slurm: Slurm, alice: Visitor) -> None:
    with running(slurm, alice, cores="2", memory="1G") as session:
        with Terminal(session.visitor) as terminal:
            terminal.run(f"python3 -c '{HOLD}; [x * x for x in range(10**7)]'", HOLD_SECONDS)
        alice.press_stop()

    def row() -> list[str]:
        table = pages.table(alice.http.get("/hub/berth/history"), "berth-history")
        found = dict(zip(table[0], table[1], strict=True))
        assert found["Job"] == str(session.job_id), table
        return [found[name] for name in ("Node", "Cores", "Memory", "GPUs", "How it ended")]

    until(lambda: "peak" in row()[2], "the peak of the memory", SECONDS)
    node, cores, memory, gpus, end = row()
    assert node == session.job["NodeList"]
    assert re.fullmatch(r"2 \(\d+ % used\)", cores)
    assert re.fullmatch(r"1 GiB \(peak \d+ MiB\)", memory)
    assert gpus == "0"
    assert end == "It was stopped in this service."


# --- a full home ------------------------------------------------------------------------------------------


@contextmanager
def full_home(user: str) -> Iterator[None]:
    """A home with no room left, as the login node sees it."""
    login = Machine(LOGIN)
    home = f"/home/{user}"
    owner = login.run("id", "-u", user)
    login.run("mount", "-t", "tmpfs", "-o", f"size=64k,mode=0700,uid={owner}", "tmpfs", home)
    try:
        login.shell(f"dd if=/dev/zero of={home}/rest bs=4k 2>/dev/null || :", user=user)
        yield
    finally:
        login.run("umount", home)


def test_a_full_home_refuses_the_start_before_anything_is_queued(
    slurm: Slurm, login: Machine, alice: Visitor
) -> None:
    known = slurm.known("alice")
    with full_home("alice"):
        answer = alice.submit_form(**SMALL)
        text = pages.text(answer)
        assert "Your home directory is full or over its quota" in text, said(answer)
        assert "quota -s" in text
        assert alice.server() is None
        assert slurm.known("alice") == known
        assert login.run("ls", "-A", "/home/alice") == "rest"
    # With room again, the same start goes through.
    with running(slurm, alice):
        assert login.shell("ls -A /home/alice | grep -c '^.berth-' || :") == "0"
