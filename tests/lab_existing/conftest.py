"""The lab with a site's own Slurm configuration, and the jobs that ran in it before we came."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.conftest import alice, bob, context, gpu1, login, pytest_runtest_makereport, slurm
from tests.lab_existing.site import theirs_running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.machines import Machine

__all__ = ["alice", "bob", "context", "gpu1", "login", "pytest_runtest_makereport", "slurm"]


@pytest.fixture(autouse=True)
def _jobs_of_the_site(login: Machine) -> Iterator[None]:
    """Whatever a test does, the jobs that ran before it run after it."""
    before = theirs_running(login)
    yield
    assert theirs_running(login) == before
