"""The lab's fixtures; users log in anew for each module, as secrets are made anew in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import browser  # noqa: F401 - fixtures are found by their names here
from tests.lab.conftest import (  # noqa: F401
    _logged_in,
    _quiet_lab,
    context,
    gpu1,
    login,
    pytest_runtest_makereport,
    slurm,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from tests.lab.visitor import Visitor


@pytest.fixture(scope="module")
def alice(context: ssl.SSLContext) -> Iterator[Visitor]:  # noqa: F811
    """A user with two accounts, logged in."""
    yield from _logged_in("alice", context)


@pytest.fixture(scope="module")
def bob(context: ssl.SSLContext) -> Iterator[Visitor]:  # noqa: F811
    """Another user, with one account, logged in."""
    yield from _logged_in("bob", context)
