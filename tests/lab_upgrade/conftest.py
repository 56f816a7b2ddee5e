"""The lab, and an earlier commit of this repository beside it."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.lab.conftest import (  # noqa: F401 - fixtures are found by their names here
    _quiet_lab,
    alice,
    bob,
    context,
    login,
    pytest_runtest_makereport,
    slurm,
)
from tests.lab.machines import ROOT

if TYPE_CHECKING:
    from pathlib import Path

EARLIER = "ee7a06294ea34d06e9922e8e76367805dda56338"
"""The commit that the lab is upgraded from; it has another session layer, and no playbook for backups."""


@pytest.fixture(scope="session")
def earlier() -> Path:
    """A checkout of the earlier commit."""
    if subprocess.run(["git", "cat-file", "-e", f"{EARLIER}^{{commit}}"], cwd=ROOT, check=False).returncode:
        pytest.fail(f"this clone lacks commit {EARLIER}: `git fetch --unshallow`, or clone with its history")
    directory = ROOT / "build" / "earlier"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    packed = subprocess.run(["git", "archive", EARLIER], cwd=ROOT, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", str(directory)], input=packed, check=True)
    return directory
