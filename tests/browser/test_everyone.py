"""A whole session without scripts, and one in Italian."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser import axe
from tests.browser.looks import NARROW, RAW, english, fits
from tests.browser.window import window
from tests.lab.sessions import ended
from tests.lab.slurm import full_nodes

if TYPE_CHECKING:
    from tests.browser.window import Window
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

RELOADED_SECONDS = 60.0
SHORTEST = "00:30:00"
REFUSE = "document.querySelector('#berth-cores').options[0].value = '4096'"


def test_a_session_needs_no_scripts_from_the_login_to_its_end(slurm: Slurm, alice: Visitor) -> None:
    try:
        with window(scripts=False) as browser:
            with full_nodes(slurm):
                ask_for_an_estimate(browser)
                browser.see("button", "Start").click()
                browser.see("#progress-message", "waits in the queue")
                browser.see("#cancel").click()
                browser.see("#berth-session", "The start was cancelled")
            browser.see("#start").click()
            browser.see("button", "Start").click()
            # The waiting page asks again by itself, until there is a session to go to.
            in_session = "/user/alice/"
            browser.until(lambda: browser.path.startswith(in_session), "the session", RELOADED_SECONDS)
            browser.open("/hub/home")
            browser.see("#stop", "Stop my server").click()
            browser.see("#berth-session", "Your session has ended", RELOADED_SECONDS)
    finally:
        ended(slurm, alice)


def ask_for_an_estimate(browser: Window) -> None:
    """Fill in the form, have Slurm asked, and find the form as it was, with the answer."""
    browser.open("/hub/spawn")
    browser.log_in("alice")
    browser.see("button", "Start")
    assert "requires JavaScript" not in browser.text
    with browser.screen(*NARROW):
        fits(browser)
        browser.see("#logout")
        browser.whole_picture("form-without-scripts")
    browser.choose("Time", "30 minutes")
    browser.see("#berth-estimate").click()
    browser.see("#berth-estimate-answer", "Slurm ")
    assert browser.field("Time").get_attribute("value") == SHORTEST


def test_a_session_speaks_italian_to_who_reads_it(slurm: Slurm, alice: Visitor) -> None:
    try:
        with window("it") as browser, full_nodes(slurm):
            browser.open("/hub/spawn")
            browser.log_in("alice")
            browser.see("h1", "Avvia una sessione")
            browser.see("#berth-advice", "Non può iniziare subito")
            italian(browser, "form")
            browser.script(REFUSE)
            browser.script("document.querySelector('#berth-cores').selectedIndex = 0")
            browser.see("button", "Avvia").click()
            browser.see("#form-message", "non è tra le scelte disponibili")
            italian(browser, "form-refused")
            browser.open("/hub/spawn")
            browser.see("button", "Avvia").click()
            browser.see("#progress-message", "attende in coda")
            browser.see("#berth-facts dt", "Motivo dell'attesa")
            italian(browser, "waiting")
            browser.open("/hub/home")
            browser.see("#berth-session", "attende in coda")
            italian(browser, "home-waiting")
            browser.see("#stop", "Annulla l'avvio").click()
            browser.see("#berth-session", "L'avvio è stato annullato")
            italian(browser, "home")
            browser.open("/hub/berth/history")
            browser.see("h1", "Le ultime sessioni")
            italian(browser, "history")
    finally:
        ended(slurm, alice)


def italian(browser: Window, name: str) -> None:
    """Check that a page of ours is Italian but for JupyterHub's own frame and for Slurm's words."""
    shown = browser.script("return document.querySelector('main').innerText")
    foot = browser.script("return document.querySelector('footer').innerText")
    assert browser.script("return document.querySelector('main').lang") == "it"
    assert english(f"{browser.driver.title}\n{shown}\n{foot}") == []
    assert RAW.findall(browser.text) == []
    with browser.screen(*NARROW):
        fits(browser)
        browser.whole_picture(f"italian-{name}")
    assert axe.violations(browser) == []
