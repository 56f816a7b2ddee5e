"""Sessions as tests need them: started through the form, known to Slurm, ended afterwards."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.lab import pages
from tests.lab.machines import Machine
from tests.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx

    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

SMALL: Mapping[str, str] = {
    "reservation": "",
    "account": "proj_a",
    "cores": "1",
    "memory": "500M",
    "gpus": "0",
    "time": "00:30:00",
}
"""A small session of alice's. All fields are given: the form offers the user's last choice first."""
QUEUED_SECONDS = 20.0
JOB_NAME = re.compile(r"berth-[0-9a-f]{32}")


@dataclass(frozen=True)
class Session:
    """A session that runs."""

    visitor: Visitor
    job_id: int
    job: Mapping[str, str]
    """What Slurm said of the job when it was ready."""

    @property
    def node(self) -> Machine:
        """The node that it runs on."""
        return Machine(self.job["NodeList"])

    def _listener(self) -> str:
        """The line of `ss` for the session's socket: the one that others can reach."""
        rows = listeners(self.node, self.node.run("id", "-u", self.visitor.name))
        reachable = [row for row in rows if not row.split()[3].startswith("127.")]
        assert len(reachable) == 1, rows
        return reachable[0]

    def server_pid(self) -> int:
        """The process on the node that serves."""
        (pid,) = re.findall(r"pid=(\d+)", self._listener())
        return int(pid)

    def port(self) -> int:
        """The port that it serves on."""
        return int(self._listener().split()[3].rpartition(":")[2])


def listeners(node: Machine, uid: str) -> list[str]:
    """Lines of `ss` for TCP sockets of a user that accept connections."""
    rows = node.run("ss", "-H", "-l", "-t", "-n", "-p", "-e").splitlines()
    return [row for row in rows if f" uid:{uid} " in f"{row} "]


def session_jobs(slurm: Slurm, user: str) -> list[int]:
    """The user's jobs that the hub submitted and that have not ended."""
    return [number for number, name in slurm.names(user).items() if JOB_NAME.fullmatch(name)]


def started(slurm: Slurm, visitor: Visitor, **options: str) -> int:
    """Start a session by the form, SMALL but for `options`; return its job id as soon as Slurm has it."""
    answer = visitor.submit_form(**{**SMALL, **options})
    assert answer.status_code == 200, said(answer)
    return until(lambda: session_jobs(slurm, visitor.name), f"a job of {visitor.name}", QUEUED_SECONDS)[0]


def said(answer: httpx.Response) -> str:
    """What an answer says, shortened for a message."""
    words = pages.text(answer) if "html" in answer.headers.get("Content-Type", "") else answer.text
    return f"{answer.status_code} at {answer.url.path}: {words[:1500]}"


@contextmanager
def running(slurm: Slurm, visitor: Visitor, **options: str) -> Iterator[Session]:
    """Have a session from the form until it is ready, and stop it afterwards."""
    try:
        job_id = started(slurm, visitor, **options)
        visitor.wait_ready()
        visitor.open_session().raise_for_status()
        yield Session(visitor, job_id, slurm.job(job_id))
    finally:
        ended(slurm, visitor)


def ended(slurm: Slurm, visitor: Visitor) -> None:
    """End the visitor's session, if there is one, and every job of the user."""
    try:
        visitor.stop()
    finally:
        slurm.cancel(*slurm.queue(visitor.name))
