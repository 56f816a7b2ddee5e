"""What happens to a cluster for as long as a block lasts: nodes drained, reservations, jobs, silence."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.lab.cluster import OPEN_NODE
from tests.lab.slurm import on

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm

HELD = "labtest"
"""The name of a reservation that a test makes."""


@contextmanager
def state(login: Machine, node: str, wanted: str) -> Iterator[None]:
    """A node in a state that an administrator gave it, and back in service afterwards."""
    login.run("scontrol", "update", f"nodename={node}", f"state={wanted}", "reason=tests")
    try:
        yield
    finally:
        login.run("scontrol", "update", f"nodename={node}", "state=resume")


@contextmanager
def reserved(login: Machine, nodes: str, *options: str, flags: str = "ignore_jobs,overlap") -> Iterator[None]:
    """A reservation of nodes, whatever runs there or is reserved already."""
    made = (f"reservation={HELD}", f"nodes={nodes}", f"flags={flags}", *options)
    login.run("scontrol", "create", "reservation", *made)
    try:
        yield
    finally:
        login.run("scontrol", "delete", f"reservation={HELD}")


@contextmanager
def working(slurm: Slurm, *options: str, number: int = 1) -> Iterator[list[int]]:
    """Running jobs of bob's on the open node."""
    jobs = [slurm.submit("bob", *on(OPEN_NODE.name), *options, script="sleep 600") for _ in range(number)]
    try:
        for job_id in jobs:
            slurm.wait_for(job_id, "RUNNING")
        yield jobs
    finally:
        slurm.cancel(*jobs)


@contextmanager
def halted(machine: Machine, unit: str) -> Iterator[None]:
    """A service that is stopped in its tracks, and goes on afterwards."""
    machine.run("systemctl", "kill", "--signal=STOP", unit)
    try:
        yield
    finally:
        machine.run("systemctl", "kill", "--signal=CONT", unit)
