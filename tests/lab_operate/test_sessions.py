"""Sessions at a glance: the command and the page say what Slurm says, and end sessions with words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser import axe
from tests.browser.looks import look, tab_through
from tests.browser.window import window
from tests.lab import pages
from tests.lab.cluster import OPEN_TYPE
from tests.lab.machines import lab
from tests.lab.sessions import ended, running, session_jobs, started
from tests.lab.waiting import until
from tests.lab_operate.operating import BERTH, admin, berth, document, refused

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from tests.browser.window import Window
    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

SECONDS = 60.0
MESSAGE = "Node gpu1 needs <care> until noon."
SAID = f"An operator ended this session: {MESSAGE}"
CA = "/opt/berth/etc/hub-ca.crt"
"""What everybody on the machine may read."""


@pytest.fixture(scope="module")
def operator(login: Machine, context: ssl.SSLContext) -> Iterator[Visitor]:
    """Carol, as an admin of the hub."""
    with admin(login, context, "carol") as visitor:
        yield visitor


def gone(slurm: Slurm, name: str) -> None:
    """Wait until Slurm has no session of a user any more."""
    until(lambda: not session_jobs(slurm, name), f"the end of the session of {name}", SECONDS)


def last_end(visitor: Visitor) -> str:
    """How the page with the history says that the last session ended."""
    return pages.table(visitor.http.get("/hub/berth/history"), "berth-history")[1][-1]


def test_the_command_lists_what_slurm_says(login: Machine, slurm: Slurm, alice: Visitor) -> None:
    with running(slurm, alice, gpus=f"{OPEN_TYPE}:1") as session:
        (row,) = document(login, "sessions", "--json")["sessions"]
        assert (row["user"], row["job_id"], row["state"]) == ("alice", session.job_id, "RUNNING")
        assert (row["node"], row["gpus"], row["gpu_type"]) == (session.job["NodeList"], 1, OPEN_TYPE)
        assert (row["cores"], row["memory_mib"], row["interface"]) == (1, 500, "lab")
        assert 0 < row["left_seconds"] <= 30 * 60
        assert 0 <= row["idle_seconds"] < 120
        head, line = berth(login, "sessions").splitlines()
        assert head.split() == [
            *("USER", "JOBID", "STATE", "NODELIST", "GPUS", "CPUS", "MEMORY", "RELEASE", "INTERFACE", "IDLE"),
            "TIME_LEFT",
        ]
        assert line.split()[:5] == ["alice", str(session.job_id), "RUNNING", row["node"], f"{OPEN_TYPE}:1"]
        assert re.fullmatch(r"00:(2\d|30):00", line.split()[-1])


def test_a_session_is_stopped_with_words_that_its_user_reads(
    login: Machine, slurm: Slurm, alice: Visitor
) -> None:
    with running(slurm, alice) as session:
        assert "There is no session of bob" in refused(login, "sessions", "stop", "bob", "--message", "x")
        assert "one line" in refused(login, "sessions", "stop", "alice", "--message", "a\nb")
        assert slurm.state(session.job_id) == "RUNNING"
        assert berth(login, "sessions", "stop", "alice", "--message", MESSAGE) == "alice: being stopped"
        gone(slurm, "alice")
        until(lambda: alice.server() is None, "the end at the hub", SECONDS)
        assert SAID in pages.text(alice.http.get("/user/alice/lab"))
        assert SAID in pages.text(alice.http.get("/hub/home"))
        assert SAID in pages.text(alice.form_page())
        assert last_end(alice) == SAID
        since = login.journal("-2min", "berth-hub")
        assert f"berth-operator ends the session of alice: {MESSAGE}" in since


def test_all_are_stopped_those_that_wait_too(
    login: Machine, slurm: Slurm, alice: Visitor, bob: Visitor
) -> None:
    try:
        # A node has 4000 MiB, and the other one is reserved: the second of these waits.
        with running(slurm, alice, memory="2G"):
            started(slurm, bob, account="proj_b", memory="3G")
            until(lambda: len(document(login, "sessions", "--json")["sessions"]) == 2, "both", SECONDS)
            states = {
                item["user"]: item["state"] for item in document(login, "sessions", "--json")["sessions"]
            }
            assert states == {"alice": "RUNNING", "bob": "PENDING"}
            stopped = berth(login, "sessions", "stop", "--all", "--message", MESSAGE).splitlines()
            assert stopped == ["alice: being stopped", "bob: being stopped"]
            for visitor in (alice, bob):
                gone(slurm, visitor.name)
                until(lambda: visitor.server() is None, "the end at the hub", SECONDS)  # noqa: B023
                assert last_end(visitor) == SAID
    finally:
        ended(slurm, bob)
    said = berth(login, "sessions", "stop", "--all", "--message", MESSAGE)
    assert said == "There are no sessions."


def test_who_is_no_operator_gets_nothing(login: Machine, alice: Visitor) -> None:
    assert "Run this as root" in refused(login, "sessions", user="alice")
    assert login.attempt("cat", "/etc/berth/operator.env", user="alice").rc != 0
    file = "/home/alice/.operate-token"
    login.shell(f"umask 077 && printf %s {alice.token()} > {file}", user="alice")
    try:
        command = f"SSL_CERT_FILE={CA} {BERTH} sessions --hub https://localhost --token-file {file}"
        result = login.attempt("sh", "-c", command, user="alice")
        assert result.rc == 1, result
        assert "the token has to be an admin's" in result.stderr
    finally:
        login.run("rm", "-f", file)
    for path in ("/hub/berth/sessions", "/hub/berth/sessions/stop"):
        assert alice.http.get(path).status_code == 403
    assert "/hub/berth/sessions" not in alice.http.get("/hub/home").text


def test_an_admin_sees_and_stops_sessions_on_a_page(
    operator: Visitor, slurm: Slurm, alice: Visitor, browser: Window
) -> None:
    with running(slurm, alice, gpus=f"{OPEN_TYPE}:1") as session:
        enter(browser, operator)
        browser.see("nav a", "Sessions").click()
        browser.see("#berth-sessions td", str(session.job_id))
        tab_through(browser)
        look(browser, "sessions")
        browser.see("th a", "Idle for").click()
        assert browser.see("th[aria-sort]", "Idle for").get_attribute("aria-sort") == "descending"
        browser.see("#berth-sessions td a", "Stop").click()
        browser.see("h1", "Stop the session of alice")
        tab_through(browser)
        look(browser, "sessions-stop")
        browser.field("Message to the users").send_keys(MESSAGE)
        browser.see("#confirm").click()
        browser.see("h1", "Sessions")
        gone(slurm, "alice")
        browser.until(lambda: alice.server() is None, "the end at the hub")
        assert last_end(alice) == SAID
    browser.open("/hub/berth/sessions")
    browser.see("#berth-sessions", "There are no sessions.")
    assert axe.violations(browser) == []


def test_all_are_stopped_without_scripts(operator: Visitor, slurm: Slurm, alice: Visitor) -> None:
    with running(slurm, alice), window(scripts=False) as browser:
        enter(browser, operator)
        browser.open("/hub/berth/sessions")
        browser.see("#stop-all").click()
        browser.see("#berth-ended li", "alice")
        browser.field("Message to the users").send_keys(MESSAGE)
        browser.see("#confirm").click()
        gone(slurm, "alice")
        until(lambda: alice.server() is None, "the end at the hub", SECONDS)
        assert last_end(alice) == SAID


def enter(browser: Window, operator: Visitor) -> None:
    """Log in as the operator."""
    browser.open("/hub/login?next=%2Fhub%2Fhome")
    browser.log_in(operator.name)
    browser.see("h1", "Your session")
    assert lab().url in browser.driver.current_url
