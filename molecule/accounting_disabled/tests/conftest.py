"""The lab's fixtures; every user of the machine may start sessions here."""

from __future__ import annotations

from tests.lab.conftest import (  # noqa: F401 - fixtures are found by their names here
    _quiet_lab,
    alice,
    bob,
    carol,
    context,
    login,
    pytest_runtest_makereport,
    slurm,
)
