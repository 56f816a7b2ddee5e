"""The lab's fixtures, and that every test leaves nothing: no job, no record, no token, no route."""

from __future__ import annotations

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
from tests.lab.sessions import ended
from tests.lab_faults.faults import gone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor


@pytest.fixture(autouse=True)
def _nothing_left(slurm: Slurm, login: Machine, alice: Visitor, bob: Visitor) -> Iterator[None]:  # noqa: F811
    yield
    for visitor in (alice, bob):
        ended(slurm, visitor)
        gone(login, slurm, visitor)
