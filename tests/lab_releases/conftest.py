"""The lab's fixtures, a session with one GPU for all tests of a file, and what the index says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.cluster import COURSE_TYPE
from tests.lab.conftest import (  # noqa: F401 - fixtures are found by their names here
    _quiet_lab,
    alice,
    bob,
    context,
    login,
    pytest_runtest_makereport,
    slurm,
)
from tests.lab.sessions import running
from tests.lab_releases.preparing import julia_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.machines import Machine
    from tests.lab.sessions import Session
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

RELEASE = "2026.11"
OPTIONS = {"release": RELEASE, "cores": "2", "memory": "3G", "gpus": f"{COURSE_TYPE}:1"}
SMALL = {**OPTIONS, "gpus": "0"}
"""Without a GPU: on whichever node."""


@pytest.fixture(scope="module")
def session(slurm: Slurm, alice: Visitor) -> Iterator[Session]:  # noqa: F811
    """A session of alice's with the release that has all environments, and one GPU; Julia is prepared."""
    with running(slurm, alice, **OPTIONS) as session:
        julia_of(RELEASE).wait(alice)
        yield session


@pytest.fixture(scope="session")
def release(login: Machine) -> dict[str, Any]:  # noqa: F811
    """What the index says of that release."""
    index = json.loads(login.run("cat", "/opt/berth/releases/index.json"))
    (found,) = (entry for entry in index["releases"] if entry["name"] == RELEASE)
    return dict(found)
