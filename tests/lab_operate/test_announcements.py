"""Announcements reach users before they log in, on the hub's pages and in Lab, as plain text, in time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.browser.looks import look
from tests.lab import pages
from tests.lab.sessions import running
from tests.lab.visitor import Visitor
from tests.lab.waiting import until
from tests.lab_operate.operating import berth, document, refused

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from tests.browser.window import Window
    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm

TEXT = "New GPUs <b>from Monday</b> & more."
ITALIAN = "Nuove GPU da <b>lunedì</b>."
FILE = "/var/lib/berth-hub/notices.json"
NOTICE = ".Toastify__toast"
LAB_SECONDS = 90.0
NOTICED_SECONDS = 90.0
"""A session asks the hub once a minute."""


@pytest.fixture(autouse=True)
def _none_left(login: Machine) -> Iterator[None]:
    assert document(login, "announce", "--list", "--json") == []
    yield
    for item in document(login, "announce", "--list", "--json"):
        berth(login, "announce", "--remove", item["id"])


def shown(visitor: Visitor, path: str, language: str = "en") -> list[str]:
    """The notices on a page."""
    answer = visitor.http.get(path, headers={"Accept-Language": language})
    return [item.get_text(strip=True) for item in pages.parse(answer).select("#berth-notices p")]


def test_they_are_on_all_pages_for_everybody_until_they_are_removed(
    login: Machine, alice: Visitor, context: ssl.SSLContext, browser: Window
) -> None:
    berth(login, "announce", TEXT, "--it", ITALIAN, "--level", "warning", "--until", "now+2hours")
    (item,) = document(login, "announce", "--list", "--json")
    with Visitor("nobody", context) as stranger:
        assert shown(stranger, "/hub/login") == [TEXT]
        assert shown(stranger, "/hub/login", "it") == [ITALIAN]
    for path in ("/hub/home", "/hub/spawn", "/hub/berth/releases", "/hub/token"):
        assert shown(alice, path) == [TEXT], path
    browser.open("/hub/login")
    browser.see("#berth-notices .alert-warning", TEXT)
    look(browser, "announcement-login")
    browser.log_in("alice")
    browser.open("/hub/spawn")
    browser.see("#berth-notices", TEXT)
    look(browser, "announcement-form")
    berth(login, "announce", "--remove", item["id"])
    assert shown(alice, "/hub/home") == []
    assert item["id"] in refused(login, "announce", "--remove", item["id"])


def test_they_come_and_go_by_themselves(login: Machine, alice: Visitor) -> None:
    berth(login, "announce", "Soon.", "--from", "now+5", "--until", "now+12")
    assert shown(alice, "/hub/home") == []
    until(lambda: shown(alice, "/hub/home") == ["Soon."], "its beginning", 10)
    until(lambda: shown(alice, "/hub/home") == [], "its end", 15)
    assert document(login, "announce", "--list", "--json") == []


def test_wrong_ones_change_nothing(login: Machine, alice: Visitor) -> None:
    for argv, said in [
        (("two\nlines",), "one line"),
        (("x", "--until", "soon"), "is not a time; write"),
        (("x", "--from", "now+2hours", "--until", "now+1hour"), "end before it begins"),
        (("x", "--until", "2020-01-01"), "has passed"),
        (("x", "--list"), "Give a text, --list, or --remove ID"),
    ]:
        assert said in refused(login, "announce", *argv)
    assert shown(alice, "/hub/home") == []


def test_a_broken_file_gives_a_line_in_the_journal_and_no_broken_page(login: Machine, alice: Visitor) -> None:
    berth(login, "announce", TEXT)
    assert shown(alice, "/hub/home") == [TEXT]
    kept = login.run("cat", FILE)
    assert login.run("stat", "-c", "%a %U", FILE) == "600 berth-hub"
    try:
        login.shell(f"echo '{{' > {FILE}")
        assert shown(alice, "/hub/home") == [TEXT]
        assert alice.http.get("/hub/spawn").status_code == 200
        assert "notices.json cannot be used" in login.journal("-1min", "berth-hub")
    finally:
        login.run("sh", "-c", f'printf %s "$0" > {FILE}', kept)
    assert shown(alice, "/hub/home") == [TEXT]


def test_they_outlive_a_restart_of_the_hub(login: Machine, alice: Visitor) -> None:
    berth(login, "announce", TEXT)
    login.run("systemctl", "restart", "berth-hub")
    until(lambda: alice.http.get("/hub/home").status_code == 200, "the hub", 60)
    assert shown(alice, "/hub/home") == [TEXT]


def test_they_are_told_in_lab_as_plain_text(
    login: Machine, slurm: Slurm, alice: Visitor, browser: Window
) -> None:
    with running(slurm, alice, time="01:00:00"):
        berth(login, "announce", TEXT, "--level", "warning", "--until", "now+1hour")
        browser.open("/hub/login?next=%2Fuser%2Falice%2Flab%3Freset")
        browser.log_in("alice")
        browser.see(".jp-Launcher", seconds=LAB_SECONDS)
        notice = browser.see(NOTICE, "New GPUs", NOTICED_SECONDS)
        assert TEXT in notice.text
        assert notice.find_elements("css selector", "b") == []
        browser.picture("announcement-lab")
        status = json.loads(alice.http.get("/user/alice/berth/api/status").text)
        assert [item["text"]["en"] for item in status["notices"]] == [TEXT]
