"""Accounting that is away or frozen: sessions start and end, and nobody is told that Slurm is silent."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.lab import pages
from tests.lab.cluster import OPEN_NODE, OPEN_TYPE
from tests.lab.sessions import running
from tests.lab.test_availability import current
from tests.lab.waiting import until
from tests.lab_faults import faults
from tests.lab_faults.faults import gone, processes, settled

if TYPE_CHECKING:
    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

NOTICED_SECONDS = 60.0
WATCHED_SECONDS = 10.0
YOUNG_SECONDS = 8
"""The queue is asked for every two seconds, the nodes after each answer of theirs."""
SILENT = "Slurm does not answer"


def test_sessions_start_and_end_without_the_accounting(slurm: Slurm, login: Machine, alice: Visitor) -> None:
    login.run("systemctl", "stop", "slurmdbd")
    try:
        with running(slurm, alice):
            settled(login, slurm, alice)
        gone(login, slurm, alice)
    finally:
        login.run("systemctl", "start", "slurmdbd")
    until(lambda: current(alice)["error"] == "", "fresh figures", NOTICED_SECONDS)


def test_an_accounting_that_is_frozen_holds_up_nothing_else(
    slurm: Slurm, login: Machine, alice: Visitor, bob: Visitor
) -> None:
    gpus = len(OPEN_NODE.devices[OPEN_TYPE])
    with faults.stopped_unit(login, "slurmdbd"):
        with running(slurm, alice, gpus=f"{OPEN_TYPE}:1") as session:
            assert slurm.free_gpus(session.job["NodeList"])[OPEN_TYPE] == gpus - 1
            alice.press_stop()
            until(lambda: "Your session has ended; its GPU is free." in faults.told(alice), "its end", 20)
            assert slurm.free_gpus(session.job["NodeList"])[OPEN_TYPE] == gpus
        # How it ended is asked of accounting, which gives no answer.
        until(lambda: processes(login, "sacct"), "a question that hangs", NOTICED_SECONDS)
        since = time.monotonic()
        while time.monotonic() < since + WATCHED_SECONDS:
            figures = current(bob)
            assert (figures["error"], figures["age_seconds"] < YOUNG_SECONDS) == ("", True), figures
            for page in ("/hub/spawn", "/hub/home", "/hub/berth/history"):
                assert SILENT not in pages.text(bob.http.get(page))
            time.sleep(1)
        assert processes(login, "sacct"), "accounting answered meanwhile"
    until(
        lambda: slurm.accounted(session.job_id, "State").startswith("CANCELLED"), "its end", NOTICED_SECONDS
    )
