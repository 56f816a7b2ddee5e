"""What a person reads in JupyterLab while Julia is being prepared, in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.window import window
from tests.lab.machines import LOGIN, Machine
from tests.lab.sessions import running
from tests.lab_releases import preparing
from tests.lab_releases.conftest import RELEASE, SMALL
from tests.lab_releases.preparing import USER, julia_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.window import Window
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

LAB_SECONDS = 90.0
KERNEL_SECONDS = 120.0
CARD = '.jp-LauncherCard[data-category="Notebook"] .jp-LauncherCard-label'
DIALOG = ".jp-Dialog"
# Nothing of the text lies beyond the edge of what holds it.
CUT_OFF = """
const cut = (item) => item.scrollWidth > item.clientWidth + 1 || item.scrollHeight > item.clientHeight + 1;
return [...document.querySelectorAll(arguments[0])].filter(cut).map(item => item.outerHTML);
"""


@pytest.fixture(autouse=True)
def _first_login() -> Iterator[None]:
    preparing.forget()
    yield
    preparing.forget()
    Machine(LOGIN).shell(f"rm -rf /home/{USER}/Untitled*.ipynb")


def test_the_launcher_says_that_julia_is_being_prepared_and_a_click_what_to_do(
    slurm: Slurm, alice: Visitor
) -> None:
    julia = julia_of(RELEASE)
    with preparing.held(julia) as halfway, running(slurm, alice, **SMALL), window() as browser:
        halfway()
        browser.open("/")
        browser.log_in(USER)
        open_launcher(browser)
        waiting = f"{julia.name} (being prepared)"
        card = browser.see(CARD, julia.name, seconds=LAB_SECONDS)
        assert " ".join(card.text.split()) == waiting
        assert browser.script(CUT_OFF, CARD) == []
        browser.picture("julia-being-prepared")
        card.click()
        reason = read_dialog(browser, "julia-dialog")
        assert reason.startswith(f"{julia.name} is being prepared in your home")
        assert reason.endswith(f"progress: {julia.log}")
        preparing.go_on()
        julia.wait(alice)
        open_launcher(browser)
        card = browser.see(CARD, julia.name, seconds=LAB_SECONDS)
        assert card.text.strip() == julia.name
        card.click()
        browser.see(".jp-StatusBar-TextItem", f"{julia.name} | Idle", seconds=KERNEL_SECONDS)
        browser.picture("julia-prepared")


def open_launcher(browser: Window) -> None:
    """Have the launcher, whatever the user left open."""
    browser.see("#jp-top-panel, .jp-Launcher", seconds=LAB_SECONDS)
    browser.open(f"/user/{USER}/lab?reset")


def read_dialog(browser: Window, picture: str) -> str:
    """What the dialog of a kernel that does not start says, all of which can be seen; close it."""
    shown = browser.see(f"{DIALOG} .jp-Dialog-body", "home")
    browser.picture(picture)
    assert browser.script(CUT_OFF, f"{DIALOG} .jp-Dialog-body, {DIALOG} pre") == []
    said = " ".join(shown.text.split())
    browser.see(f"{DIALOG} button", "Ok").click()
    return said
