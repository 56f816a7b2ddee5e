"""The lab's fixtures, and a picture of what the browser showed when a test failed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.window import Window, window
from tests.lab.conftest import (  # noqa: F401 - fixtures are found by their names here
    _quiet_lab,
    alice,
    bob,
    context,
    login,
    pytest_runtest_makereport,
    slurm,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def browser(request: pytest.FixtureRequest) -> Iterator[Window]:
    """A new browser for one test."""
    failed_before = request.session.testsfailed
    with window() as browser:
        yield browser
        if request.session.testsfailed > failed_before:
            browser.picture("failed-" + re.sub(r"[^\w-]+", "_", request.node.name))
