"""What JupyterLab shows of the session beside its notebooks, and Notebook as another interface."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.lab.cluster import OPEN_TYPE
from tests.lab.notebook import CellError, Kernel
from tests.lab.releases import ordered
from tests.lab.sessions import ended, running

if TYPE_CHECKING:
    from tests.browser.window import Window
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

LAB_SECONDS = 90.0
NOTICED_SECONDS = 40.0
STATUS = ".berth-status"
NOTICE = ".Toastify__toast"
CARD = ".jp-LauncherCard"


def opened(browser: Window, path: str = "lab%3Freset") -> None:
    """Open the session as alice."""
    browser.open(f"/hub/login?next=%2Fuser%2Falice%2F{path}")
    browser.log_in("alice")


def test_the_foot_of_lab_says_what_is_left_and_leads_to_the_hub(
    slurm: Slurm, alice: Visitor, browser: Window
) -> None:
    with running(slurm, alice, gpus=f"{OPEN_TYPE}:1"):
        opened(browser)
        browser.see(".jp-Launcher", seconds=LAB_SECONDS)
        shown = browser.see(STATUS, "left").text
        assert re.fullmatch(r"\d+ min left · 0\.\d of 0\.5 GiB( · 1 GPU)?", shown), shown
        # The session has half an hour: that is warned of at once.
        browser.see(NOTICE, "This session ends in")
        browser.picture("lab-status")
        assert str(browser.see(f"{STATUS} a").get_attribute("href")).endswith("/hub/home")


def test_a_kernel_that_the_memory_ended_is_told(slurm: Slurm, alice: Visitor, browser: Window) -> None:
    with running(slurm, alice):
        opened(browser)
        browser.see(STATUS, "left", LAB_SECONDS)
        with Kernel.start(alice) as kernel, pytest.raises((CellError, TimeoutError, AssertionError)):
            kernel.run("x = b'x' * 2**30", 20)
        browser.see(NOTICE, "The memory of this session ran out", NOTICED_SECONDS)
        browser.picture("memory-ran-out")


def test_the_launcher_has_kernels_then_terminal_and_tools_and_asks_nobody_outside(
    slurm: Slurm, alice: Visitor, browser: Window
) -> None:
    with running(slurm, alice):
        opened(browser)
        browser.see(CARD, "Visual Studio Code", LAB_SECONDS)
        cards = [" ".join(card.text.split()) for card in browser.all(CARD)]
        kernels = [item["display_name"] for item in ordered()[-1]["environments"]]
        assert [card for card in cards if any(card.endswith(name) for name in kernels)][: len(kernels)]
        assert cards.index("Terminal") < cards.index("Visual Studio Code")
        assert browser.all(".jp-Dialog, [data-id='news']") == []
        assert browser.foreign() == []


def test_notebook_opens_as_interface_of_the_form(slurm: Slurm, alice: Visitor, browser: Window) -> None:
    try:
        opened(browser, "")
        browser.open("/hub/spawn")
        browser.choose("User interface", "Notebook")
        browser.choose("GPU configuration", "No GPU")
        browser.see("button", "Start").click()
        browser.see(".jp-DirListing", seconds=LAB_SECONDS)
        assert browser.path.startswith("/user/alice/tree")
        browser.picture("notebook-interface")
    finally:
        ended(slurm, alice)
