"""A maintenance: what runs lives on, new sessions are refused with a time, and it ends by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.looks import look
from tests.lab import pages
from tests.lab.sessions import SMALL, ended, running, session_jobs, started
from tests.lab.slurm import full_nodes
from tests.lab.waiting import until
from tests.lab_operate.operating import admin, berth, document, refused

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from tests.browser.window import Window
    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

CLOSED = "No new sessions can be started until "
MESSAGE = "New disks are put in."
ON = ("maintenance", "on", "--until", "now+1hour", "--message", MESSAGE)


@pytest.fixture(autouse=True)
def _off(login: Machine) -> Iterator[None]:
    assert document(login, "maintenance", "status", "--json") == {"maintenance": None, "active": False}
    yield
    berth(login, "maintenance", "off")


def refusals(visitor: Visitor) -> None:
    """Check that form, REST and link refuse with sentence and time, and that nothing reaches Slurm."""
    for path in ("/hub/spawn", "/hub/spawn#cores=1"):
        page = visitor.http.get(path)
        assert CLOSED in pages.text(page)
        assert MESSAGE in pages.text(page)
        assert pages.form(page, "spawn_form").buttons == ()
    sent = visitor.http.get("/hub/spawn?cores=1")
    assert sent.status_code == 503
    values = {**pages.form(page, "spawn_form").hidden, **SMALL}
    sent = visitor.http.post("/hub/spawn", files={name: (None, value) for name, value in values.items()})
    assert sent.status_code == 503
    assert CLOSED in pages.text(sent)
    assert 0 < int(sent.headers["Retry-After"]) <= 3600
    sent = visitor.hub("POST", f"users/{visitor.name}/server", json={"user_options": dict(SMALL)})
    assert sent.status_code == 503
    assert 0 < int(sent.headers["Retry-After"]) <= 3600
    assert sent.json()["message"].startswith(CLOSED)


def test_new_sessions_are_refused_and_running_ones_live_on(
    login: Machine, slurm: Slurm, alice: Visitor, bob: Visitor, browser: Window
) -> None:
    with running(slurm, alice) as session:
        said = berth(login, *ON)
        assert said.startswith("on: no new sessions start")
        refusals(bob)
        assert slurm.queue("bob") == []
        assert alice.open_session().status_code == 200
        assert slurm.state(session.job_id) == "RUNNING"
        browser.open("/hub/login?next=%2Fhub%2Fspawn")
        browser.log_in("bob")
        browser.see("#berth-closed", CLOSED)
        look(browser, "maintenance-form")
        assert berth(login, "maintenance", "off") == "No maintenance: sessions start."
        assert "Start" in pages.form(bob.form_page(), "spawn_form").buttons
        assert slurm.state(session.job_id) == "RUNNING"


def test_a_start_that_waits_goes_on(login: Machine, slurm: Slurm, alice: Visitor) -> None:
    try:
        with full_nodes(slurm):
            job_id = started(slurm, alice)
            berth(login, *ON)
        alice.wait_ready()
        assert slurm.state(job_id) == "RUNNING"
    finally:
        ended(slurm, alice)


def test_it_ends_by_itself(login: Machine, slurm: Slurm, alice: Visitor) -> None:
    berth(login, "maintenance", "on", "--until", "now+8", "--message", MESSAGE)
    assert CLOSED in pages.text(alice.form_page())
    until(lambda: CLOSED not in pages.text(alice.form_page()), "its end", 20)
    assert berth(login, "maintenance", "status") == "No maintenance: sessions start."
    try:
        started(slurm, alice)
    finally:
        ended(slurm, alice)


def test_one_that_is_planned_is_announced_and_hinted_at(login: Machine, slurm: Slurm, alice: Visitor) -> None:
    soon = ("--from", "now+20minutes", "--until", "now+2hours", "--message", MESSAGE)
    assert berth(login, "maintenance", "on", *soon).startswith("planned: sessions start until it begins")
    page = alice.form_page()
    assert "Maintenance from " in pages.text(page)
    asked = {**SMALL, "time": "00:30:00"}
    answer = alice.call("GET", "/hub/berth/api/advice", params=asked).raise_for_status().json()
    assert "It would run into the maintenance that begins at" in answer["sentence"]
    try:
        started(slurm, alice)
        assert session_jobs(slurm, "alice")
    finally:
        ended(slurm, alice)


def test_operators_may_try_the_service_out(
    login: Machine, context: ssl.SSLContext, slurm: Slurm, browser: Window
) -> None:
    with admin(login, context, "bob") as operator:
        try:
            berth(login, *ON)
            browser.open("/hub/login?next=%2Fhub%2Fspawn")
            browser.log_in("bob")
            browser.see("#berth-exception", "you can, as an operator")
            look(browser, "maintenance-operator")
            started(slurm, operator, account="proj_b")
            operator.wait_ready()
        finally:
            ended(slurm, operator)


def test_wrong_orders_change_nothing(login: Machine) -> None:
    for argv, said in [
        (("on", "--until", "soon", "--message", "x"), "is not a time; write"),
        (("on", "--until", "2020-01-01", "--message", "x"), "end before it begins"),
        (("on", "--until", "now+1hour", "--message", "a\nb"), "one line"),
    ]:
        assert said in refused(login, "maintenance", *argv)
    assert document(login, "maintenance", "status", "--json")["maintenance"] is None
