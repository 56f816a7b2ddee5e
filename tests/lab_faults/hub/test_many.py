"""Many starts that wait: none is lost or started twice, and neither Slurm nor the other users feel them."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, TypeVar

import pytest

from tests.bench import stage
from tests.lab import pages
from tests.lab.hub import HUB_SECONDS, hub_answers
from tests.lab.sessions import SMALL, said, session_jobs
from tests.lab.slurm import full_nodes
from tests.lab.test_availability import current
from tests.lab.visitor import Visitor
from tests.lab.waiting import until
from tests.lab_faults.faults import gone, settled

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm

_Result = TypeVar("_Result")

USERS = stage.USERS[:15]
CANCELLED = 4
THREADS = 4
OPTIONS = {**SMALL, "account": stage.ACCOUNT, "memory": stage.MEMORY}
WINDOW_SECONDS = 10.0
READY_SECONDS = 150.0
"""All boot at once on what may be two cores."""


@pytest.fixture
def crowd(alice: Visitor, context: ssl.SSLContext) -> Iterator[list[Visitor]]:
    """Users of their own, logged in by PAM, and a form with sessions so small that all find room."""
    with stage.users() as password, stage.berth_settings(), ExitStack() as visitors:
        until(lambda: hub_answers(alice), "a hub that answers", HUB_SECONDS)
        until(lambda: current(alice)["asked_at"], "a hub that knows Slurm", HUB_SECONDS)
        members = [visitors.enter_context(Visitor(name, context)) for name in USERS]
        for answer in at_once(lambda member: member.log_in(password), members):
            assert answer.status_code == 200, said(answer)
        yield members
    until(lambda: hub_answers(alice), "a hub that answers", HUB_SECONDS)


def at_once(do: Callable[[Visitor], _Result], members: list[Visitor]) -> list[_Result]:
    """Do something for several users, some at a time."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(do, members))


def asked_of_slurm(login: Machine) -> int:
    """How often the hub asks slurmctld within a while."""

    def count() -> int:
        (number,) = re.findall(r"\sberth-hub\s*\(\s*\d+\)\s+count:\s*(\d+)", login.run("sdiag"))
        return int(number)

    before = count()
    time.sleep(WINDOW_SECONDS)
    return count() - before


def waits(slurm: Slurm, member: Visitor) -> int:
    """Wait until a user's start is in the queue and the waiting page says so; return its job."""
    (job_id,) = until(lambda: session_jobs(slurm, member.name), f"a job of {member.name}", 30)
    page = f"/hub/spawn-pending/{member.name}"
    words = f"Job {job_id} waits in the queue."
    until(lambda: words in pages.text(member.http.get(page)), f"a start of {member.name} that waits", 30)
    return job_id


def others_are_served(slurm: Slurm, visitor: Visitor) -> None:
    """Somebody who does not wait gets the form, and figures that are no older than usual."""
    form = pages.form(visitor.form_page(), "spawn_form")
    assert "Start" in form.buttons
    figures = current(visitor)
    assert figures["error"] == ""
    assert figures["waiting"] == len(slurm.login.run("squeue", "-h", "-t", "PENDING", "-o", "%A").split())


def test_fifteen_starts_that_wait_are_all_served_once_there_is_room(
    slurm: Slurm, login: Machine, alice: Visitor, crowd: list[Visitor]
) -> None:
    known = {member.name: slurm.known(member.name) for member in crowd}
    leaving, staying = crowd[:CANCELLED], crowd[CANCELLED:]
    with full_nodes(slurm):
        first, *others = crowd
        assert first.submit_form(**OPTIONS).status_code == 200
        waits(slurm, first)
        alone = asked_of_slurm(login)
        for answer in at_once(lambda member: member.submit_form(**OPTIONS), others):
            assert answer.status_code == 200, said(answer)
        jobs = {member.name: waits(slurm, member) for member in crowd}
        until(lambda: current(alice)["waiting"] == len(crowd), "figures that count all of them", 20)
        others_are_served(slurm, alice)
        together = asked_of_slurm(login)
        assert together < 2 * alone, f"the hub asked {alone} times for one, {together} times for {len(crowd)}"
        at_once(Visitor.press_stop, leaving)
        for member in leaving:
            gone(login, slurm, member)
        others_are_served(slurm, alice)
    for member in staying:
        member.wait_ready(READY_SECONDS)
    for member in staying:
        settled(login, slurm, member)
        assert session_jobs(slurm, member.name) == [jobs[member.name]]
        assert member.open_session().url.path.startswith(f"/user/{member.name}/lab")
    at_once(Visitor.press_stop, staying)
    for member in crowd:
        gone(login, slurm, member)
        assert slurm.known(member.name) - known[member.name] == {jobs[member.name]}, "it ran twice"
