"""The pages of a session's life: they fit a telephone, and nobody is shut out of them, in light and dark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser import axe
from tests.browser.looks import look, tab_through
from tests.lab import pages
from tests.lab.circumstances import halted
from tests.lab.cluster import OPEN_TYPE
from tests.lab.sessions import ended, running, started
from tests.lab.slurm import full_nodes
from tests.lab.waiting import until

if TYPE_CHECKING:
    from tests.browser.window import Window
    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor


def test_the_waiting_page_counts_on_and_says_what_changes(
    browser: Window, slurm: Slurm, alice: Visitor
) -> None:
    try:
        with full_nodes(slurm):
            job_id = started(slurm, alice)
            open_page(browser, "/hub/spawn-pending/alice")
            browser.see("#progress-message", f"Job {job_id} waits in the queue.")
            browser.see("#berth-facts dd", "first in the queue of this partition")
            tab_through(browser)
            look(browser, "waiting")
            before = browser.see("#berth-waited").text
            until(lambda: browser.see("#berth-waited").text > before, "a clock that goes on", 5)
        # With room again the page brings its user into the session, by itself.
        browser.until(lambda: browser.path.startswith("/user/alice/lab"), "the session", 60)
    finally:
        ended(slurm, alice)


def test_the_waiting_page_becomes_the_one_that_says_why_nothing_started(
    browser: Window, slurm: Slurm, alice: Visitor
) -> None:
    try:
        with full_nodes(slurm):
            job_id = started(slurm, alice)
            open_page(browser, "/hub/spawn-pending/alice")
            browser.see("#progress-message", f"Job {job_id} waits in the queue.")
            slurm.cancel(job_id)
            browser.see("h1", "Your session did not start")
            browser.see("#berth-session", f"Job {job_id} ended before its session was ready.")
            tab_through(browser)
            look(browser, "start-failed")
    finally:
        ended(slurm, alice)


def test_home_follows_a_session_to_its_end_and_the_history_has_it(
    browser: Window, login: Machine, slurm: Slurm, alice: Visitor
) -> None:
    with running(slurm, alice, gpus=f"{OPEN_TYPE}:1"):
        open_page(browser, "/hub/home")
        browser.see("#berth-session", "Your session is running.")
        tab_through(browser)
        look(browser, "home-running")
        with halted(login, "slurmctld"):
            browser.see("#stop").click()
            browser.see("#berth-session", "Your session is being stopped")
            look(browser, "home-stopping")
            browser.open("/hub/spawn-pending/alice")
            browser.see("h1", "Your session is being stopped")
            look(browser, "stopping")
        browser.open("/hub/home")
        browser.see("#berth-session", "Your session has ended; its GPU is free.")
        look(browser, "home-ended")
    browser.open("/user/alice/lab")
    browser.see("h1", "No session is running")
    look(browser, "not-running")
    browser.open("/hub/berth/history")
    browser.see("#berth-history", "It was stopped in this service.")
    tab_through(browser)
    look(browser, "history")


def test_while_the_hub_is_away_every_page_of_it_says_so_and_comes_back_by_itself(
    browser: Window, login: Machine, alice: Visitor
) -> None:
    open_page(browser, "/hub/home")
    login.run("systemctl", "stop", "berth-hub")
    try:
        for path in ("/", "/hub/spawn", "/hub/home"):
            browser.open(path)
            browser.see("h1", "Back in a moment")
        look(browser, "unavailable")
        read = {
            code: alice.http.get("/hub/home", headers={"Accept-Language": code}) for code in ("it-IT", "fr")
        }
        assert {answer.status_code for answer in read.values()} == {503}
        assert pages.text(read["it-IT"]).startswith("Di nuovo qui tra poco")
        assert pages.text(read["fr"]).startswith("Back in a moment")
        chosen = alice.http.get("/hub/", headers={"Accept-Language": "en", "Cookie": "berth-language=it"})
        assert "Le sessioni in corso continuano" in pages.text(chosen)
    finally:
        login.run("systemctl", "start", "berth-hub")
    browser.see("h1", "Your session", 60)


def test_the_pages_are_italian_for_who_wants_it(browser: Window) -> None:
    open_page(browser, "/hub/home")
    browser.see("button", "Italiano").click()
    browser.see("h1", "La sessione")
    browser.open("/hub/berth/history")
    browser.see("h1", "Le ultime sessioni")
    assert axe.violations(browser) == []
    browser.whole_picture("history-italian")
    browser.see("button", "English").click()
    browser.see("h1", "Your last sessions")


def open_page(browser: Window, path: str) -> None:
    """Log in, and open a page of the hub."""
    browser.open("/hub/login?next=%2Fhub%2Fhome")
    browser.log_in("alice")
    browser.see("h1", "Your session")
    browser.open(path)
