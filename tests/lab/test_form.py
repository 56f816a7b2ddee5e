"""The form against a real Slurm: what it offers and refuses is what Slurm would, and it says so before."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.lab import pages
from tests.lab.cluster import COURSE, COURSE_TYPE, OPEN_NODE, OPEN_TYPE, PARTITION
from tests.lab.sessions import SMALL, ended, said, session_jobs, started
from tests.lab.slurm import ACCOUNTS, on
from tests.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.machines import Machine
    from tests.lab.pages import Field
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

QOS = "berth_interactive"
ROUND_SECONDS = 30.0
"""Until the hub has asked Slurm for partitions, reservations and jobs again."""
ACCOUNTS_SECONDS = 90.0
"""The same for accounts and limits, which are asked for once a minute."""
LATER = "berth-later"


def field(visitor: Visitor, label: str) -> Field:
    return pages.form(visitor.form_page(), "spawn_form").label(label)


@contextmanager
def partition(login: Machine, name: str, value: str) -> Iterator[None]:
    """Change the partition until the end of the test."""
    login.run("scontrol", "update", f"partitionname={PARTITION}", f"{name}={value}")
    try:
        yield
    finally:
        login.run("scontrol", "update", f"partitionname={PARTITION}", f"{name}=ALL")


def test_an_account_that_the_partition_refuses_is_not_offered(login: Machine, alice: Visitor) -> None:
    with partition(login, "AllowAccounts", "proj_b"):
        until(lambda: field(alice, "Slurm account").choices == ("proj_b",), "proj_b alone", ROUND_SECONDS)
        refused = login.attempt(
            *("sbatch", "--chdir=/tmp", "-A", "proj_a", "-p", PARTITION, "--wrap=true"), user="alice"
        )
        assert refused.rc != 0
        answer = alice.submit_form(**{**SMALL, "account": "proj_a"})
        assert answer.status_code == 400, said(answer)
    until(lambda: "proj_a" in field(alice, "Slurm account").choices, "proj_a again", ROUND_SECONDS)


def test_who_may_not_use_the_partition_gets_a_sentence_and_no_form(login: Machine, alice: Visitor) -> None:
    with partition(login, "AllowGroups", "root"):
        sentence = "of these groups only: root"
        until(lambda: sentence in pages.text(alice.form_page()), "a sentence", ROUND_SECONDS)
        assert pages.parse(alice.form_page()).select("select") == []
    until(lambda: pages.parse(alice.form_page()).select("select"), "the form again", ROUND_SECONDS)


def test_a_request_that_no_node_of_a_reservation_has_is_refused_at_its_field(alice: Visitor) -> None:
    chosen = {**SMALL, "reservation": COURSE, "account": "proj_a", "gpus": f"{COURSE_TYPE}:1"}
    answer = alice.submit_form(**chosen)
    assert answer.status_code == 400, said(answer)
    form = pages.form(answer, "spawn_form")
    assert f"the reservation “{COURSE}” is not for proj_a" in form.label("Slurm account").hint
    assert form.label("Slurm reservation").chosen == COURSE
    assert form.label("GPU configuration").chosen == f"{COURSE_TYPE}:1"


def test_limits_of_a_qos_bound_the_choices_as_they_bound_sbatch(login: Machine, alice: Visitor) -> None:
    asked = ("sbatch", "--chdir=/tmp", "-A", "proj_a", "-p", PARTITION, "--time=02:00:00", "--wrap=true")
    try:
        limits = ("maxwall=01:00:00", "maxtresperjob=cpu=2")
        login.run("sacctmgr", "-i", "modify", "qos", QOS, "set", *limits)
        refused = login.attempt(*asked, user="alice")
        assert refused.rc != 0
        assert "QOSMaxWallDurationPerJobLimit" in refused.stderr
        until(lambda: field(alice, "Time").choices[-1] == "01:00:00", "an hour at most", ACCOUNTS_SECONDS)
        assert "At most 1 hour with these choices." in field(alice, "Time").hint
        assert field(alice, "Number of cores").choices[-1] == "2"
    finally:
        login.run("sacctmgr", "-i", "modify", "qos", QOS, "set", "maxwall=-1", "maxtresperjob=cpu=-1")
    until(lambda: "02:00:00" in field(alice, "Time").choices, "the choices again", ACCOUNTS_SECONDS)


def test_what_a_user_has_running_stands_at_the_limit_that_it_uses(slurm: Slurm, bob: Visitor) -> None:
    number = slurm.submit("bob", f"--gres=gpu:{OPEN_TYPE}:1", *on(OPEN_NODE.name), script="sleep 300")
    try:
        slurm.wait_for(number, "RUNNING")
        said = "uses 1 of the"
        until(lambda: said in field(bob, "GPU configuration").hint, "a hint", ROUND_SECONDS)
        assert "must wait" in field(bob, "GPU configuration").hint
    finally:
        slurm.cancel(number)
    until(lambda: said not in field(bob, "GPU configuration").hint, "no hint", ROUND_SECONDS)


@pytest.fixture
def later(login: Machine) -> Iterator[str]:
    """A reservation of an hour, two days from now."""
    login.run(
        *("scontrol", "create", "reservation", f"reservationname={LATER}", "accounts=proj_a"),
        *(f"nodes={OPEN_NODE.name}", "starttime=now+2days", "duration=60"),
    )
    yield LATER
    login.run("scontrol", "delete", f"reservationname={LATER}")


def test_a_reservation_to_come_is_offered_with_its_start_and_its_sessions_wait(
    slurm: Slurm, alice: Visitor, later: str
) -> None:
    until(lambda: later in field(alice, "Slurm reservation").choices, "the reservation", ROUND_SECONDS)
    page = pages.parse(alice.form_page())
    (entry,) = page.select(f"#berth-reservation option[value='{later}']")
    when = r"\(starts at \d{4}-\d\d-\d\d \d\d:\d\d, in (1 day 23 hours|2 days)\)"
    assert re.search(when, entry.get_text()), entry.get_text()
    refused = alice.submit_form(**{**SMALL, "reservation": later, "time": "02:00:00"})
    assert refused.status_code == 400
    hint = pages.form(refused, "spawn_form").label("Time").hint
    assert f"at most 1 hour; the reservation “{later}” lasts no longer" in hint
    try:
        number = started(slurm, alice, reservation=later)
        until(lambda: slurm.job(number).get("Reason") == "Reservation", "a job that waits for it", 30)
    finally:
        ended(slurm, alice)


def test_a_reservation_is_offered_to_those_whom_slurm_lets_in_and_to_nobody_else(
    login: Machine, slurm: Slurm, alice: Visitor, bob: Visitor, later: str
) -> None:
    until(lambda: later in field(alice, "Slurm reservation").choices, "the reservation", ROUND_SECONDS)
    for visitor, account in ((alice, "proj_a"), (bob, ACCOUNTS["bob"])):
        offered = later in field(visitor, "Slurm reservation").choices
        answer = login.attempt(
            *("sbatch", "--parsable", "--output=/dev/null", "-A", account, "-p", PARTITION, "-t", "30"),
            *("--chdir=/tmp", f"--reservation={later}", "--wrap=true"),
            user=visitor.name,
        )
        assert (answer.rc == 0) is offered, answer.stderr
        slurm.cancel(*slurm.queue(visitor.name))
    assert session_jobs(slurm, "alice") == []


def test_the_last_choice_is_chosen_again(slurm: Slurm, alice: Visitor) -> None:
    memory = field(alice, "Memory").choices[1]
    try:
        started(slurm, alice, memory=memory, cores="2")
    finally:
        ended(slurm, alice)
    assert field(alice, "Memory").chosen == memory
    assert field(alice, "Number of cores").chosen == "2"
