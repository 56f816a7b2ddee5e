"""The form's script: what cannot be had together is taken away; a link fills in and never starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.looks import look
from tests.browser.test_pages import open_form
from tests.lab.cluster import COURSE, OPEN_TYPE
from tests.lab.sessions import session_jobs

if TYPE_CHECKING:
    from tests.browser.window import Window
    from tests.lab.slurm import Slurm

ENTRIES = "return [...document.querySelectorAll(`#berth-${arguments[0]} option`)]"
DISABLED = f"{ENTRIES}.filter(item => item.disabled).map(item => item.value)"
# What a smaller cluster would have sent; the lab's nodes are all alike.
SHRINK = """
// A copy: the script must not hear of changes twice.
const page = document.getElementById("berth-form");
const place = page.cloneNode(true);
page.replaceWith(place);
const rules = JSON.parse(place.dataset.rules);
rules.shapes = [
  {cores: 4, memory: 1024, gpus: {}, reservations: []},
  {cores: 1, memory: 4000, gpus: {[arguments[0]]: 2}, reservations: [arguments[1]]},
];
rules.sizes = {0: "0 MiB", 1024: "1 GiB", 4000: "4000 MiB"};
rules.reservations[arguments[1]].time = {most: 120, text: "2 hours"};
place.dataset.rules = JSON.stringify(rules);
const script = document.createElement("script");
script.src = document.querySelector("script[src*='form.js']").src + "&again";
document.head.append(script);
return new Promise((done) => { script.onload = () => done(true); });
"""


def chosen(browser: Window, name: str) -> str:
    value: str = browser.script("return document.getElementById(`berth-${arguments[0]}`).value", name)
    return value


def said(browser: Window, identity: str) -> str:
    words: str = browser.script("return document.getElementById(arguments[0]).textContent.trim()", identity)
    return words


@pytest.fixture
def small(browser: Window) -> Window:
    """The form of a cluster with two kinds of nodes: without GPUs and memory, and the other way round."""
    open_form(browser)
    browser.script(SHRINK, OPEN_TYPE, COURSE)
    browser.choose("Slurm reservation", "None")
    browser.choose("Slurm account", "proj_a")
    browser.choose("GPU configuration", "No GPU")
    browser.choose("Number of cores", "4")
    browser.choose("Memory", "1 GiB")
    return browser


def test_what_cannot_be_had_with_the_chosen_gpus_is_taken_away(small: Window) -> None:
    assert "3G" in small.script(DISABLED, "memory")
    assert said(small, "berth-memory-limit") == "At most 1 GiB with these choices."
    small.choose("GPU configuration", f"1 {OPEN_TYPE} GPU")
    assert chosen(small, "cores") == "1"
    assert small.script(DISABLED, "cores") == ["2", "4"]
    assert said(small, "berth-cores-note") == "Number of cores is now 1."
    assert said(small, "berth-cores-limit") == "At most 1 with these choices."
    assert small.script(DISABLED, "memory") == []
    small.choose("GPU configuration", "No GPU")
    assert small.script(DISABLED, "cores") == []


def test_a_reservation_changes_what_can_be_had(small: Window) -> None:
    small.choose("Slurm reservation", COURSE)
    assert chosen(small, "account") == "proj_b"
    assert small.script(DISABLED, "account") == ["proj_a"]
    assert said(small, "berth-account-note") == "Slurm account is now proj_b."
    assert chosen(small, "cores") == "1"


def test_what_is_taken_away_falls_back_to_the_default_as_on_the_server(small: Window) -> None:
    small.choose("Time", "8 hours")
    small.choose("Slurm reservation", COURSE)
    assert chosen(small, "time") == "01:00:00"
    assert "02:00:00" not in small.script(DISABLED, "time")


def test_a_link_fills_in_over_the_login_and_starts_nothing(browser: Window, slurm: Slurm) -> None:
    browser.open(f"/hub/spawn#cores=4&gpus={OPEN_TYPE}:2&time=02:00:00&memory=9T&account=proj_b")
    browser.log_in("alice")
    browser.see("#berth-link", "Check it, then press Start.")
    assert "“9T” is not one of the choices" in said(browser, "berth-link")
    assert [chosen(browser, name) for name in ("cores", "gpus", "time", "account")] == [
        "4",
        f"{OPEN_TYPE}:2",
        "02:00:00",
        "proj_b",
    ]
    assert "#" not in browser.path
    assert session_jobs(slurm, "alice") == []


def test_a_link_may_give_a_number_of_gpus_alone(browser: Window) -> None:
    open_form(browser)
    browser.script("window.location.hash = 'gpus=1'")
    browser.see("#berth-link")
    assert chosen(browser, "gpus").endswith(":1")


def test_a_refused_form_is_for_everyone(browser: Window) -> None:
    open_form(browser)
    browser.script(
        "const menu = document.getElementById('berth-cores');"
        "menu.options[0].value = '4096'; menu.options[0].selected = true;"
    )
    browser.see("button", "Start").click()
    browser.see("#berth-cores-problem", "“4096” is not one of the choices")
    look(browser, "form-refused")
