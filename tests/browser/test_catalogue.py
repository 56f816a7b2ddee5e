"""The catalogue of releases: from the form to every package, for everyone, with scripts and without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser.looks import NARROW, RAW, english, fits, look, tab_through
from tests.browser.test_pages import open_form
from tests.browser.window import window

if TYPE_CHECKING:
    from tests.browser.window import Window

OPEN = "details.berth-packages[open]"


def open_catalogue(browser: Window) -> list[str]:
    """Go there from the form; return the releases, newest first: the lab has two at least."""
    open_form(browser)
    browser.see(".berth-inside + p a").click()
    browser.see("h1", "Releases")
    names = [heading.text for heading in browser.all(".berth-release h2")]
    assert len(names) > 1, names
    return names


def test_the_form_says_what_is_inside_its_releases(browser: Window) -> None:
    open_form(browser)
    summary = browser.see(".berth-inside summary")
    summary.send_keys(Keys.ENTER)
    shown = browser.see(".berth-inside dl").text
    offered = browser.field("Backend environment").find_elements(By.TAG_NAME, "option")
    assert offered
    for option in offered:
        assert str(option.get_attribute("value")) in shown
    look(browser, "form-inside")


def test_the_list_of_releases_is_for_everyone(browser: Window) -> None:
    open_catalogue(browser)
    tab_through(browser)
    look(browser, "releases")


def test_a_release_shows_every_package_and_is_searched_while_one_types(browser: Window) -> None:
    newest, *_ = open_catalogue(browser)
    browser.see(".berth-release h2 a", newest).click()
    browser.see("h1", newest)
    tab_through(browser)
    look(browser, "release")
    assert browser.all(OPEN) == []
    field = browser.field("Show only packages whose name contains")
    field.send_keys("ipykernel")
    browser.see(OPEN)
    rows = browser.all(f"{OPEN} tbody tr")
    assert rows
    assert all(row.text.startswith("ipykernel") for row in rows), [row.text for row in rows]
    field.send_keys("-that-nobody-made")
    browser.see("#berth-filter-none", "No package has that in its name.")
    assert browser.all(OPEN) == []
    look(browser, "release-filtered")


def test_a_section_is_opened_by_the_keyboard(browser: Window) -> None:
    newest, *_ = open_catalogue(browser)
    browser.open(f"/hub/berth/releases/{newest}")
    summary = browser.see("details.berth-packages summary")
    summary.send_keys(Keys.ENTER)
    browser.see(f"{OPEN} tbody tr")
    look(browser, "release-open")


def test_two_releases_are_compared(browser: Window) -> None:
    newest, older, *_ = open_catalogue(browser)
    browser.see(".berth-links a", f"What changed from {older} to {newest}").click()
    browser.see("h1", f"What changed: {older} to {newest}")
    assert browser.all(".berth-packages")
    look(browser, "releases-compared")


def test_the_catalogue_needs_no_scripts() -> None:
    with window(scripts=False) as browser:
        newest, *_ = open_catalogue(browser)
        with browser.screen(*NARROW):
            fits(browser)
        browser.see(".berth-release h2 a", newest).click()
        browser.see("details.berth-packages summary").click()
        browser.see(f"{OPEN} tbody tr")
        assert browser.all("#berth-filter-text") == [], "a filter that does nothing"
        with browser.screen(*NARROW):
            fits(browser)
            browser.whole_picture("release-without-scripts")


def test_the_catalogue_speaks_italian_to_who_reads_it() -> None:
    with window("it") as browser:
        browser.open("/hub/spawn")
        browser.log_in("alice")
        browser.see("h1", "Avvia una sessione")
        browser.see(".berth-inside + p a").click()
        browser.see("h1", "Release disponibili")
        pages = [link.get_attribute("href") for link in browser.all(".berth-links a")]
        for page in [None, *pages]:
            if page is not None:
                browser.driver.get(page)
            browser.see(".berth-releases h1")
            shown = browser.script("return document.querySelector('main').innerText")
            assert english(f"{browser.driver.title}\n{shown}") == []
            assert RAW.findall(browser.text) == []
