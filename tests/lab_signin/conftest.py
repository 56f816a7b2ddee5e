"""The lab's fixtures, and the hub with another way to sign in."""

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
from tests.lab_signin.signin import PEOPLE, configure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.machines import Machine


@pytest.fixture(autouse=True, scope="session")
def _the_lab_gets_its_own_sign_in_back(login: Machine) -> Iterator[None]:  # noqa: F811 - the fixture
    """Whatever a module sets, passwords of the cluster and no policies are what others find."""
    assert login.attempt("id", PEOPLE["signin_directory_people"][0]["name"]).rc == 0, (
        "this lab has no directory: run molecule/signin/converge.yml first"
    )
    yield
    configure()
