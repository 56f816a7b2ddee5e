"""The lab's fixtures, and a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.conftest import browser  # noqa: F401 - fixtures are found by their names here
from tests.lab.conftest import (  # noqa: F401
    _quiet_lab,
    alice,
    bob,
    context,
    login,
    pytest_runtest_makereport,
    slurm,
)

if TYPE_CHECKING:
    from tests.browser.window import Window

FOREIGN = """
return performance.getEntriesByType("resource").map(entry => new URL(entry.name, location))
    .filter(url => url.host && url.host !== location.host).map(url => url.href);
"""


def foreign(browser: Window) -> list[str]:
    """What the page asked of others than the service."""
    found: list[str] = browser.script(FOREIGN)
    return found
