"""The lab's fixtures."""

from __future__ import annotations

from tests.browser.conftest import browser  # noqa: F401 - fixtures are found by their names here
from tests.lab.conftest import (  # noqa: F401
    _quiet_lab,
    alice,
    bob,
    context,
    gpu1,
    login,
    pytest_runtest_makereport,
    slurm,
)
