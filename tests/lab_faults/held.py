"""A hub that is held up within what it is just writing into its database, so that it can be killed there."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.lab.machines import Machine


@dataclass(frozen=True)
class Step:
    """Something that the hub writes, and what of a start is in the database before."""

    trigger: str
    server: bool
    """Whether JupyterHub counts a server."""
    tokens: int
    told: str
    """What its user reads afterwards."""


TOKEN = Step(
    "INSERT ON api_tokens WHEN NEW.note LIKE 'Server at %'",
    server=False,
    tokens=0,
    told="No session is running",
)
"""The token of a session is being made."""
RECORD = Step(
    "UPDATE OF state ON spawners WHEN NEW.state LIKE '%\"submitting\"%'",
    server=True,
    tokens=1,
    told="did not reach Slurm",
)
"""The record of a start is being written."""

_DATABASE = """
import sqlite3, sys
database = sqlite3.connect("/var/lib/berth-hub/hub.sqlite", timeout=float(sys.argv[1]), isolation_level=None)
"""
# The count of some 10^14 rows. The statement, and so the hub, comes to no end; nothing of it is committed.
_HOLD_UP = """
rows = ", ".join(f"sqlite_master AS t{number}" for number in range(8))
database.execute(f"CREATE TRIGGER lab BEFORE {sys.argv[2]} BEGIN SELECT count(*) FROM {rows}; END")
print("true")
"""
_IS_WRITING = """
try:
    database.execute("BEGIN IMMEDIATE")
    database.execute("ROLLBACK")
    print("false")
except sqlite3.OperationalError:
    print("true")
"""
_LET_GO = """
database.execute("DROP TRIGGER lab")
print("true")
"""
WRITING_SECONDS = 1
"""Nothing that the hub writes takes as long, unless it is held up."""


@contextmanager
def held_up(login: Machine, step: Step) -> Iterator[Callable[[], bool]]:
    """A hub that hangs when it comes to a step; gives a probe whether it does. Kill it before the end."""
    login.python(_DATABASE + _HOLD_UP, "10", step.trigger)
    try:
        yield lambda: bool(login.python(_DATABASE + _IS_WRITING, str(WRITING_SECONDS)))
    except BaseException:
        login.run("systemctl", "kill", "--signal=KILL", "--kill-whom=all", "berth-hub")
        raise
    finally:
        login.python(_DATABASE + _LET_GO, "10")
