"""The hub's own pages: readable on a telephone, in light and dark, by keyboard, by assistive technology."""

from __future__ import annotations

from typing import TYPE_CHECKING

from selenium.webdriver.common.keys import Keys

from tests.browser import axe
from tests.browser.looks import THEMES, look, switch_theme, tab_through
from tests.lab.sessions import ended, session_jobs
from tests.lab.slurm import START_SECONDS, full_nodes
from tests.lab.waiting import until

if TYPE_CHECKING:
    from tests.browser.window import Window
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor


def open_form(browser: Window, user: str = "alice") -> None:
    """Log in, as far as the form."""
    browser.open("/hub/spawn")
    browser.log_in(user)
    browser.see("button", "Start")


def test_the_login_and_its_refusal_are_for_everyone(browser: Window) -> None:
    browser.open("/hub/login")
    browser.see("#login_submit")
    look(browser, "login")
    browser.log_in("alice", "not-the-password")
    browser.see(".login_error")
    look(browser, "login-refused")


def test_the_form_is_for_everyone(browser: Window) -> None:
    open_form(browser)
    tab_through(browser)
    look(browser, "form")


def test_the_form_of_a_user_without_an_account_is_for_everyone(browser: Window) -> None:
    browser.open("/hub/spawn")
    browser.log_in("carol")
    browser.see(".alert", "no Slurm account")
    look(browser, "no-account")


def test_a_page_that_is_not_there_is_for_everyone(browser: Window) -> None:
    browser.open("/hub/nothing")
    browser.see("h1", "404")
    look(browser, "error")


def test_a_refused_form_says_what_is_wrong_at_the_field(browser: Window) -> None:
    open_form(browser)
    browser.script("document.querySelector('#berth-cores option').value = '4096'")
    browser.script("document.querySelector('#berth-cores').selectedIndex = 0")
    browser.see("button", "Start").click()
    message = browser.see(".invalid-feedback")
    assert "Number of cores" in message.text
    assert browser.field("Number of cores").get_attribute("aria-invalid") == "true"
    assert axe.violations(browser) == []
    browser.whole_picture("form-refused")


def test_a_start_that_waits_says_why_and_can_be_cancelled(
    browser: Window, slurm: Slurm, alice: Visitor
) -> None:
    try:
        with full_nodes(slurm):
            open_form(browser)
            browser.see("button", "Start").click()
            browser.see("#progress-message", "waits in the queue")
            (job_id,) = session_jobs(slurm, "alice")
            assert str(job_id) in browser.text
            for theme in THEMES:
                switch_theme(browser, theme)
                assert axe.violations(browser) == []
                browser.picture(f"pending-{theme}")
            switch_theme(browser, "light")
            browser.figure("pending")
            browser.see("button", "Cancel").click()
            until(lambda: slurm.queue("alice") == [], "an empty queue", START_SECONDS)
    finally:
        ended(slurm, alice)


def test_the_keyboard_alone_reaches_every_field_and_start(
    browser: Window, slurm: Slurm, alice: Visitor
) -> None:
    browser.open("/hub/spawn")
    browser.log_in("alice")
    browser.see("button", "Start")
    visited = tab_until(browser, "Start")
    menus = [name for name in visited if name.startswith("berth-")]
    assert menus == [
        f"berth-{name}"
        for name in ("reservation", "account", "cores", "memory", "gpus", "time", "release", "interface")
    ]
    try:
        with full_nodes(slurm):
            browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
            browser.see("#progress-message", "waits in the queue")
            tab_until(browser, "Cancel")
            browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
            until(lambda: slurm.queue("alice") == [], "an empty queue", START_SECONDS)
    finally:
        ended(slurm, alice)


def tab_until(browser: Window, text: str) -> list[str]:
    """Press Tab until something that says `text` has the focus; return the ids on the way."""
    visited: list[str] = []
    for _ in range(60):
        browser.driver.switch_to.active_element.send_keys(Keys.TAB)
        element = browser.driver.switch_to.active_element
        if element.tag_name == "body":  # the page was just made anew, or Tab went through the window's frame
            continue
        assert browser.script("return arguments[0].matches(':focus-visible')", element), element.tag_name
        if element.text.strip().startswith(text) and element.tag_name == "button":
            return visited
        visited.append(str(element.get_attribute("id")))
    message = f"no button {text!r} within 60 presses of Tab: {visited}"
    raise AssertionError(message)
