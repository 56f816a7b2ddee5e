"""The form while it is looked at: the table follows jobs, advice follows the fields, on the same page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from selenium.webdriver.support.ui import Select

from tests.browser import axe
from tests.browser.looks import THEMES, switch_theme
from tests.browser.test_pages import open_form
from tests.lab.circumstances import working
from tests.lab.cluster import OPEN_NODE, OPEN_TYPE
from tests.lab.slurm import full_nodes
from tests.lab.waiting import until

if TYPE_CHECKING:
    from tests.browser.window import Window
    from tests.lab.slurm import Slurm

SEE_SECONDS = 20.0


CELL = """
const rows = [...document.querySelectorAll("#berth-table tbody tr")];
const row = rows.find(item => item.cells[0].textContent === arguments[0]);
return row.cells[1 + arguments[1]].textContent.trim();
"""


def cell(browser: Window, free: int) -> str:
    """What the table says of the nodes with so many free GPUs of the open node's type."""
    return str(browser.script(CELL, OPEN_TYPE, free))  # at once: the table may be replaced at any moment


def ask_for(browser: Window, **values: str) -> None:
    """Choose by value, as the menus' own choices are in the reader's language."""
    for name, value in values.items():
        Select(browser.see(f"#berth-{name}")).select_by_value(value)


def test_the_table_follows_a_job_and_the_age_counts_on(browser: Window, slurm: Slurm) -> None:
    open_form(browser)
    most = len(OPEN_NODE.devices[OPEN_TYPE])
    before = cell(browser, most - 1)
    with working(slurm, f"--gres=gpu:{OPEN_TYPE}:1", "--mem=500M"):
        memory = f"{OPEN_NODE.memory - 500} MiB"
        until(lambda: memory in cell(browser, most - 1), f"{memory} after {before}", SEE_SECONDS)
        browser.picture("live-busy")
    until(lambda: cell(browser, most - 1) == before, f"{before} again", SEE_SECONDS)
    ages = {browser.see("#berth-age").text}
    until(lambda: len(ages | {browser.see("#berth-age").text}) > 1, "an age that counts on", 10)


def test_a_suggestion_is_taken_with_one_click(browser: Window, slurm: Slurm) -> None:
    open_form(browser)
    most = len(OPEN_NODE.devices[OPEN_TYPE])
    with working(slurm, f"--gres=gpu:{OPEN_TYPE}:1", "--mem=500M"):
        ask_for(browser, gpus=f"{OPEN_TYPE}:{most}", memory="500M", cores="1", time="00:30:00")
        browser.see("#berth-advice", "Cannot start now")
        browser.see("#berth-suggestions button", "instead of")
        for theme in THEMES:
            switch_theme(browser, theme)
            assert axe.violations(browser) == []
            browser.whole_picture(f"live-suggestions-{theme}")
        browser.see("#berth-suggestions button", "GPU configuration").click()
        browser.see("#berth-advice", "Can start now")
        assert browser.all("#berth-suggestions button") == []
        assert Select(browser.see("#berth-gpus")).first_selected_option.get_attribute("value") != (
            f"{OPEN_TYPE}:{most}"
        )


def test_slurm_says_on_request_when_it_could_start(browser: Window, slurm: Slurm) -> None:
    open_form(browser)
    ask_for(browser, gpus="0", memory="500M", cores="1", time="00:30:00")
    with full_nodes(slurm):
        browser.see("#berth-advice", "Cannot start now")
        browser.see("#berth-estimate").click()
        said = browser.see("#berth-estimate-answer", "Slurm expects to start this request on")
        assert not re.search(r"\d{4}-\d{2}", said.text), "by the reader's clock, not by the hub's"
        assert axe.violations(browser) == []
        browser.whole_picture("live-estimate")
    assert browser.path == "/hub/spawn"
