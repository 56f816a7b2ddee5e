"""A hub that is killed, restarted or cut off from Slurm loses no session and starts none twice."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.lab import pages
from tests.lab.cluster import OPEN_NODE, OPEN_TYPE
from tests.lab.hub import HUB_SECONDS, hub_answers, kill_hub
from tests.lab.notebook import Kernel
from tests.lab.sessions import Session, running, session_jobs
from tests.lab.test_availability import current, expected, followed
from tests.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

OUTAGE_SECONDS = 30.0
COUNTED = 60
COUNT = f"import time\nfor number in range({COUNTED}):\n    print(number, flush=True)\n    time.sleep(0.2)"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def session(slurm: Slurm, alice: Visitor) -> Iterator[Session]:
    """A session with a GPU that the hub's troubles have to leave alone."""
    with running(slurm, alice, memory="1G", gpus=f"{OPEN_TYPE}:1") as session:
        yield session


@pytest.fixture(scope="module")
def kernel(session: Session) -> Iterator[Kernel]:
    with Kernel.start(session.visitor) as kernel:
        kernel.run("here = 'still'")
        yield kernel


def test_a_running_session_survives_a_killed_hub(
    slurm: Slurm, login: Machine, session: Session, kernel: Kernel
) -> None:
    kill_hub(login, session.visitor)
    session.visitor.wait_ready()
    assert session_jobs(slurm, "alice") == [session.job_id]
    assert slurm.state(session.job_id) == "RUNNING"
    assert session.visitor.open_session().url.path.startswith("/user/alice/lab")
    kernels = session.visitor.lab("GET", "kernels").raise_for_status().json()
    assert [item["id"] for item in kernels] == [kernel.id]
    assert kernel.run("print(here)") == "still"


def test_a_restart_of_the_hub_drops_no_connection(login: Machine, session: Session, kernel: Kernel) -> None:
    session.visitor.lab("GET", "kernels").raise_for_status()
    traffic = Traffic(session.visitor)
    printed: list[str] = []
    cell = threading.Thread(target=lambda: printed.append(kernel.run(COUNT, 60)))
    cell.start()
    login.run("systemctl", "restart", "berth-hub")
    until(lambda: hub_answers(session.visitor), "a new hub that answers", HUB_SECONDS)
    cell.join(60)
    statuses = traffic.finish()
    assert printed == ["\n".join(map(str, range(COUNTED)))], "the websocket lost output"
    assert set(statuses) == {200}
    assert len(statuses) > 10
    session.visitor.wait_ready()


class Traffic:
    """Requests to the session, one after another by a thread of their own, until it is told to finish."""

    def __init__(self, visitor: Visitor) -> None:
        """Start at once."""
        self._statuses: list[int | str] = []
        self._done = threading.Event()
        self._visitor = visitor
        self._path = f"/user/{visitor.name}/api/kernels"
        self._cookie = visitor.cookies(self._path)
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def _send(self) -> None:
        base = str(self._visitor.http.base_url)
        with httpx.Client(base_url=base, verify=self._visitor.context, trust_env=False) as client:
            while not self._done.wait(0.1):
                try:
                    answer = client.get(self._path, headers={"Cookie": self._cookie}, timeout=30)
                    self._statuses.append(answer.status_code)
                except httpx.HTTPError as error:
                    self._statuses.append(repr(error))

    def finish(self) -> list[int | str]:
        """Stop; return every status, or the error where there was none."""
        self._done.set()
        self._thread.join()
        return self._statuses


def form_with_age(visitor: Visitor) -> str:
    """The form's text if it says how old its figures are, and why."""
    text = pages.text(visitor.form_page())
    said = "Slurm does not answer at the moment. These are the last known figures." in text
    return text if said and re.search(r"Counted \d\d seconds ago", text) else ""


def test_sessions_and_form_stay_while_slurm_is_away(
    slurm: Slurm, login: Machine, session: Session, kernel: Kernel, bob: Visitor
) -> None:
    login.run("systemctl", "stop", "slurmctld")
    since = time.monotonic()
    try:
        page = until(lambda: form_with_age(bob), "the age of the figures on the form", OUTAGE_SECONDS + 30)
        assert "Slurm account" in page
        assert current(bob)["age_seconds"] >= 10
        assert current(bob)["error"] != ""
        assert session.visitor.lab("GET", "kernels").status_code == 200
        time.sleep(max(0.0, since + OUTAGE_SECONDS - time.monotonic()))  # the outage itself is the test
        server = session.visitor.server()
        assert server is not None
        assert server["ready"]
        assert kernel.run("print(here)") == "still"
    finally:
        login.run("systemctl", "start", "slurmctld")
    until(lambda: slurm.state(session.job_id) == "RUNNING", "the same job after the outage", 60)
    until(lambda: current(bob)["error"] == "", "fresh figures", 60)
    assert session_jobs(slurm, "alice") == [session.job_id]
    assert kernel.run("print(here)") == "still"


def test_stopping_frees_the_gpu_and_ends_the_job(slurm: Slurm, session: Session) -> None:
    visitor = session.visitor
    followed(visitor, expected((OPEN_NODE.name, OPEN_TYPE)))
    visitor.stop()
    until(lambda: slurm.queue("alice") == [], "an empty queue", 15)
    followed(visitor, expected())
    assert slurm.accounted(session.job_id, "State").startswith("CANCELLED")
    page = visitor.http.get("/")
    assert page.url.path.startswith("/hub/")
    assert "/user/alice" not in page.url.path
