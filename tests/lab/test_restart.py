"""A hub that is killed, restarted or cut off from Slurm loses no session and starts none twice."""

from __future__ import annotations

import re
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.lab import pages
from tests.lab.cluster import CLUSTER, OPEN_NODE, OPEN_TYPE
from tests.lab.notebook import Kernel
from tests.lab.sessions import SMALL, Session, ended, running, session_jobs, started
from tests.lab.slurm import on
from tests.lab.test_availability import current, expected, followed
from tests.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

HUB_SECONDS = 45.0
OUTAGE_SECONDS = 30.0
COUNTED = 60
COUNT = f"import time\nfor number in range({COUNTED}):\n    print(number, flush=True)\n    time.sleep(0.2)"
pytestmark = pytest.mark.slow


def hub_answers(visitor: Visitor) -> bool:
    """Whether the hub answers its API."""
    try:
        return visitor.http.get("/hub/api/").status_code == 200
    except httpx.HTTPError:
        return False


def kill_hub(login: Machine, visitor: Visitor) -> None:
    """SIGKILL all of the hub at once, and wait for the one that systemd starts."""
    with killed_hub(login, visitor):
        pass


@contextmanager
def killed_hub(login: Machine, visitor: Visitor) -> Iterator[None]:
    """The same, with a moment in between."""
    before = login.property("berth-hub", "MainPID")
    login.run("systemctl", "kill", "--signal=KILL", "--kill-whom=all", "berth-hub")
    yield
    until(
        lambda: login.property("berth-hub", "MainPID") not in {"0", before} and hub_answers(visitor),
        "a new hub that answers",
        HUB_SECONDS,
    )


@contextmanager
def full_nodes(slurm: Slurm) -> Iterator[list[int]]:
    """Nodes whose memory is taken by jobs of bob's; cancel them to make room."""
    blockers: list[int] = []
    try:
        for node in CLUSTER:
            options = (f"--mem={node.memory - 100}M", "--time=60", *on(node.name))
            blockers += [slurm.submit("bob", *options, script="sleep 3600")]
        for job_id in blockers:
            slurm.wait_for(job_id, "RUNNING")
        yield blockers
    finally:
        slurm.cancel(*blockers)


def test_a_start_that_waits_in_the_queue_survives_a_killed_hub(
    slurm: Slurm, login: Machine, alice: Visitor
) -> None:
    try:
        with full_nodes(slurm) as blockers:
            job_id = started(slurm, alice)
            until(lambda: slurm.job(job_id)["Reason"] == "Resources", "a start that waits", 30)
            kill_hub(login, alice)

            server = alice.server()
            assert server is not None
            assert server["pending"] == "spawn"
            assert session_jobs(slurm, "alice") == [job_id]
            assert slurm.state(job_id) == "PENDING"
            told = next(event["message"] for event in alice.progress() if str(job_id) in event["message"])
            assert "waits in the queue" in told
            slurm.cancel(*blockers)
        alice.wait_ready()
        assert session_jobs(slurm, "alice") == [job_id]
        assert slurm.state(job_id) == "RUNNING"
        assert alice.open_session().url.path.startswith("/user/alice/lab")
        with Kernel.start(alice) as kernel:
            assert kernel.run("import os; print(os.environ['BERTH_JOB_ID'])") == str(job_id)
    finally:
        ended(slurm, alice)


def test_a_submission_under_way_survives_a_killed_hub(slurm: Slurm, login: Machine, alice: Visitor) -> None:
    before = slurm.known("alice")
    try:
        with stopped_controller(login):
            answer = alice.submit_form(**SMALL)
            assert answer.status_code == 200, answer.text
            until(lambda: submissions(login) == 1, "a submission under way", 20)
            with killed_hub(
                login, alice
            ):  # later, sbatch may have given up: it waits ten seconds for an answer
                assert submissions(login) == 1, "the submission did not outlive the hub"
        alice.wait_ready()
        assert len(session_jobs(slurm, "alice")) == 1
        assert len(slurm.known("alice") - before) == 1
    finally:
        ended(slurm, alice)


@contextmanager
def stopped_controller(login: Machine) -> Iterator[None]:
    """Slurm's controller takes connections and does not answer."""
    login.run("systemctl", "kill", "--signal=STOP", "slurmctld")
    try:
        yield
    finally:
        login.run("systemctl", "kill", "--signal=CONT", "slurmctld")


def submissions(login: Machine) -> int:
    """How many processes of sbatch there are."""
    return len(login.attempt("pgrep", "-x", "sbatch").stdout.split())


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
    return text if re.search(r"Slurm does not answer at the moment; .* seconds old", text) else ""


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
