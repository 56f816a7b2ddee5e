"""The lab as fixtures, and what a failed test leaves to read."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.lab.machines import LOGIN, NODES, RESULTS, CommandError, Machine, lab
from tests.lab.slurm import ACCOUNTS, Slurm
from tests.lab.visitor import Visitor, trust

if TYPE_CHECKING:
    import ssl
    from collections.abc import Generator, Iterator

USERS = ("alice", "bob", "carol")
UNITS = {
    LOGIN: ("berth-hub", "berth-proxy", "berth-web", "berth-helper@*", "slurmctld", "slurmdbd"),
    **dict.fromkeys(NODES, ("slurmd",)),
}
SESSION_LOGS = "tail -n 200 /home/*/.berth/log/session-*.log 2>/dev/null || :"
SHOWN_LINES = 40


@pytest.fixture(scope="session")
def login() -> Machine:
    """The login node, which is also the hub's host and Slurm's controller."""
    return Machine(LOGIN)


@pytest.fixture(scope="session")
def gpu1() -> Machine:
    return Machine("gpu1")


@pytest.fixture(scope="session")
def slurm(login: Machine) -> Slurm:
    return Slurm(login)


@pytest.fixture(scope="session")
def context() -> ssl.SSLContext:
    """Trust in the lab's own CA only."""
    return trust()


def _logged_in(name: str, context: ssl.SSLContext) -> Iterator[Visitor]:
    with Visitor(name, context) as visitor:
        answer = visitor.log_in()
        assert answer.status_code == 200, f"{name} cannot log in: {answer.status_code} at {answer.url}"
        yield visitor


@pytest.fixture(scope="session")
def alice(context: ssl.SSLContext) -> Iterator[Visitor]:
    """A user with two accounts, logged in."""
    yield from _logged_in("alice", context)


@pytest.fixture(scope="session")
def bob(context: ssl.SSLContext) -> Iterator[Visitor]:
    """Another user, with one account, logged in."""
    yield from _logged_in("bob", context)


@pytest.fixture(scope="session")
def carol(context: ssl.SSLContext) -> Iterator[Visitor]:
    """A user of the machine who has no account in Slurm, logged in."""
    yield from _logged_in("carol", context)


@pytest.fixture(autouse=True, scope="module")
def _quiet_lab(slurm: Slurm) -> Iterator[None]:
    """Every module starts with an empty queue and leaves one."""
    assert {user: slurm.queue(user) for user in ACCOUNTS if slurm.queue(user)} == {}, (
        "the lab is in use: stop its sessions and jobs first"
    )
    yield
    left = {user: slurm.queue(user) for user in ACCOUNTS}
    slurm.cancel(*(number for numbers in left.values() for number in numbers))
    assert not any(left.values()), f"a test left jobs behind: {left}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Save the journals of a failed test under build/test-results and show their ends."""
    report = yield
    if report.failed:
        since = datetime.fromtimestamp(call.start - 60, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        name = re.sub(r"[^\w.-]+", "_", item.nodeid.removeprefix("tests/"))
        directory = RESULTS / lab().kind / f"{name}-{report.when}"
        directory.mkdir(parents=True, exist_ok=True)
        for title, text in _journals(since):
            (directory / f"{title}.log").write_text(text, encoding="utf-8")
            end = "\n".join(text.splitlines()[-SHOWN_LINES:])
            report.sections.append((f"{title} (all of it: {directory})", end))
    return report


def _journals(since: str) -> Iterator[tuple[str, str]]:
    # A lab that broke down altogether must not hide the failure that is being reported.
    with contextlib.suppress(CommandError):
        for name, units in UNITS.items():
            machine = Machine(name)
            for unit in units:
                yield f"{name}-{unit.removesuffix('@*')}", machine.journal(since, unit)
        yield "sessions", Machine(LOGIN).shell(SESSION_LOGS)
        listing = "squeue -t all; sinfo -N -l; scontrol show nodes -d"
        yield "slurm", Machine(LOGIN).shell(listing)
