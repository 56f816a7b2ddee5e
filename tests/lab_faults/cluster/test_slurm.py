"""A Slurm that is slow, silent, away, or says what nobody thought of loses no session and gets none twice."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.lab import pages
from tests.lab.hub import HUB_SECONDS, hub_answers, kill_hub
from tests.lab.notebook import Kernel
from tests.lab.sessions import SMALL, ended, running, session_jobs, started
from tests.lab.test_availability import current
from tests.lab.waiting import until
from tests.lab_faults import faults
from tests.lab_faults.faults import COLLECTOR, gone, kept, processes, settled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

OUTAGE_SECONDS = 135.0
"""More than twice as long as a stop is waited for: the janitor has it by then."""
NOTICED_SECONDS = 60.0
PROGRAMS = ("sbatch", "scancel", "squeue", "sacct", "sacctmgr", "scontrol", "sinfo")
BIN = "/var/lib/lab-slurm"
TROUBLE = f"{BIN}/trouble"
# Runs what a test has put in the place of a program, else the program.
STAND_IN = f"""#!/bin/sh
name=$(basename "$0")
if [ -x {TROUBLE}/$name ]; then exec {TROUBLE}/$name "$@"; fi
exec /usr/bin/$name "$@"
"""


def test_a_submission_that_timed_out_went_through(slurm: Slurm, login: Machine, alice: Visitor) -> None:
    before = slurm.known("alice")
    with faults.stopped_unit(login, "slurmctld"):
        alice.submit_form(**SMALL)
        until(lambda: processes(login, "sbatch"), "a submission under way", 20)
        until(lambda: not processes(login, "sbatch"), "an sbatch that has given up", 60)
        until(lambda: "has no answer" in login.journal("-90s", "berth-hub"), "a hub that knows", 20)
        server = alice.server()
        assert server is not None
        assert server["pending"] == "spawn"
    alice.wait_ready()
    settled(login, slurm, alice)
    assert len(slurm.known("alice") - before) == 1


def test_slurm_is_away_while_one_starts_and_another_stops(
    slurm: Slurm, login: Machine, alice: Visitor, bob: Visitor
) -> None:
    try:
        with running(slurm, alice, gpus="a100:1") as session:
            login.run("systemctl", "stop", "slurmctld", "slurmdbd")
            since = time.monotonic()
            try:
                alice.press_stop()
                assert "is being stopped" in faults.told(alice)
                bob.submit_form(**{**SMALL, "account": "proj_b"})
                until(lambda: bob.server() is None, "an answer", 60)
                assert "Slurm cannot be reached at the moment, so nothing was started." in bob.last_words()
                time.sleep(max(0.0, since + OUTAGE_SECONDS - time.monotonic()))  # the outage is the test
                assert "Slurm has not confirmed its end yet." in faults.told(alice)
                # One without an id is of a test before: submitted without an answer, looked for an hour.
                left = [record["job_id"] for record in kept(login, "alice").abandoned]
                assert [job_id for job_id in left if job_id] == [session.job_id]
            finally:
                login.run("systemctl", "start", "slurmdbd", "slurmctld")
            gone(login, slurm, alice)
            assert slurm.state(session.job_id) == "CANCELLED"
        assert kept(login, "bob").job_names == set()
        started(slurm, bob, account="proj_b")
        bob.wait_ready()
        settled(login, slurm, bob)
    finally:
        ended(slurm, bob)


# --- programs of Slurm's that do what nobody thought of ----------------------------------------------


@pytest.fixture(scope="module")
def trouble(login: Machine, alice: Visitor) -> Iterator[Callable[[str, str], None]]:
    """Let hub and helper run programs from a directory of ours; gives a function that replaces one."""
    settings = ("/etc/berth/hub.yml", "/etc/berth/helper.json")

    def restart() -> None:
        login.run("systemctl", "restart", "berth-hub")
        until(lambda: hub_answers(alice) and offers(alice), "a hub that knows Slurm", HUB_SECONDS)

    login.run("mkdir", "-p", TROUBLE)
    write(login, f"{BIN}/sinfo", STAND_IN)
    for name in PROGRAMS[:-1]:
        login.run("ln", "-sf", "sinfo", f"{BIN}/{name}")
    for path in settings:
        login.run("cp", "-p", path, f"{path}.lab")
        login.run("sed", "-i", rf"s|\(bin_dir.*\)/usr/bin|\1{BIN}|", path)
        assert BIN in login.run("cat", path)
    restart()
    yield lambda name, script: write(login, f"{TROUBLE}/{name}", f"#!/bin/sh\n{script}\n")
    for path in settings:
        login.run("mv", "-f", f"{path}.lab", path)
    restart()
    login.run("rm", "-rf", BIN)


def offers(visitor: Visitor) -> bool:
    """Whether the form can be sent; just after a start of the hub it cannot."""
    return "Start" in pages.form(visitor.form_page(), "spawn_form").buttons


def write(login: Machine, path: str, script: str) -> None:
    """Put a program in its place at once."""
    login.run(
        "sh", "-euc", 'printf %s "$1" > "$2.new"; chmod 755 "$2.new"; mv "$2.new" "$2"', "-", script, path
    )


@contextmanager
def replaced(login: Machine, trouble: Callable[[str, str], None], name: str, script: str) -> Iterator[None]:
    """A program that does something else for a while."""
    trouble(name, script)
    try:
        yield
    finally:
        login.run("rm", "-f", f"{TROUBLE}/{name}")


def still_there(slurm: Slurm, alice: Visitor, job_id: int) -> None:
    """The session is ready and can be used, and its page says so."""
    server = alice.server()
    assert server is not None
    assert server["ready"]
    assert alice.lab("GET", "kernels").status_code == 200
    assert session_jobs(slurm, "alice") == [job_id]
    assert "Your session is running." in faults.told(alice)


ANSWERS = {
    "garbage": "echo Segmentation fault, probably",
    "another document": "echo '[]'",
    "half a document": """/usr/bin/squeue "$@" | head -c 200""",
    "other jobs": """echo '{"jobs": [{"job_id": "seven"}], "errors": []}'""",
    "an error of tomorrow": """echo '{"jobs": [], "errors": [{"error": "Quantum flux"}]}'""",
    "an unknown status": "exit 42",
    "a crash": "kill -SEGV $$",
}


def test_answers_that_nobody_thought_of_end_no_session(
    slurm: Slurm, login: Machine, alice: Visitor, trouble: Callable[[str, str], None]
) -> None:
    with running(slurm, alice) as session:
        for script in ANSWERS.values():
            with replaced(login, trouble, "squeue", script):
                until(lambda: current(alice)["error"], f"a hub that says so of {script!r}", NOTICED_SECONDS)
                still_there(slurm, alice, session.job_id)
            until(lambda: not current(alice)["error"], f"fresh figures after {script!r}", NOTICED_SECONDS)
        settled(login, slurm, alice)


def test_an_empty_listing_ends_no_session(
    slurm: Slurm, login: Machine, alice: Visitor, trouble: Callable[[str, str], None]
) -> None:
    empty = """echo '{"jobs": [], "errors": [], "warnings": []}'"""
    with running(slurm, alice) as session:
        with replaced(login, trouble, "squeue", empty):
            alarm = "Slurm lists none of the 1 jobs of sessions"
            until(lambda: alarm in login.journal("-60s", "berth-hub"), "an alarm", NOTICED_SECONDS)
            still_there(slurm, alice, session.job_id)
            # A hub that is new knows no better, and ends nothing, either.
            kill_hub(login, alice)
            time.sleep(10)  # several listings without the job
            still_there(slurm, alice, session.job_id)
        settled(login, slurm, alice)


@pytest.mark.parametrize("status", [0, 7])
def test_a_submission_whose_answer_makes_no_sense_is_found(
    slurm: Slurm, login: Machine, alice: Visitor, trouble: Callable[[str, str], None], status: int
) -> None:
    before = slurm.known("alice")
    script = f"""/usr/bin/sbatch "$@" >/dev/null; echo Submitted, probably; exit {status}"""
    with replaced(login, trouble, "sbatch", script):
        started(slurm, alice)
        alice.wait_ready()
    settled(login, slurm, alice)
    assert len(slurm.known("alice") - before) == 1


def test_a_cancellation_whose_answer_makes_no_sense_is_repeated(
    slurm: Slurm, login: Machine, alice: Visitor, trouble: Callable[[str, str], None]
) -> None:
    with running(slurm, alice) as session:
        with replaced(login, trouble, "scancel", "echo scancel: error: Quantum flux >&2; exit 9"):
            alice.press_stop()
            asked = "verb=cancel user=alice"
            until(lambda: login.journal("-60s", "berth-helper@*").count(asked) > 1, "a second try", 30)
            assert slurm.state(session.job_id) == "RUNNING"
            assert "is being stopped" in faults.told(alice)
        gone(login, slurm, alice)


def test_a_collector_that_dies_is_started_again(slurm: Slurm, login: Machine, alice: Visitor) -> None:
    with running(slurm, alice) as session:
        login.run("pkill", "-KILL", "-f", COLLECTOR)
        until(lambda: processes_of(login, COLLECTOR), "a new collector", 20)
        still_there(slurm, alice, session.job_id)
        settled(login, slurm, alice)


def test_a_collector_that_hangs_is_started_again(slurm: Slurm, login: Machine, alice: Visitor) -> None:
    with running(slurm, alice) as session:
        (before,) = processes_of(login, COLLECTOR)
        with faults.frozen(login, COLLECTOR):
            until(lambda: before not in processes_of(login, COLLECTOR), "a collector that was ended", 60)
            until(lambda: not current(alice)["error"], "fresh figures", NOTICED_SECONDS)
        still_there(slurm, alice, session.job_id)
        settled(login, slurm, alice)


def processes_of(login: Machine, pattern: str) -> list[str]:
    """Process ids by command line."""
    return str(login.attempt("pgrep", "-f", pattern).stdout).split()


# --- a requeue ------------------------------------------------------------------------------------


def test_a_requeue_is_refused_and_leaves_the_session(slurm: Slurm, login: Machine, alice: Visitor) -> None:
    with running(slurm, alice) as session, Kernel.start(alice) as kernel:
        kernel.run("here = 'still'")
        assert login.attempt("scontrol", "requeue", str(session.job_id)).rc != 0
        assert kernel.run("print(here)") == "still"
        settled(login, slurm, alice)


@pytest.mark.parametrize("killed", [False, True], ids=["hub alive", "hub killed"])
def test_a_session_that_an_operator_requeues_all_the_same_starts_again_under_its_address(
    slurm: Slurm, login: Machine, alice: Visitor, *, killed: bool
) -> None:
    with running(slurm, alice) as session:
        job = f"JobId={session.job_id}"
        login.run("scontrol", "update", job, "Requeue=1")
        login.run("scontrol", "requeuehold", str(session.job_id))
        if killed:
            kill_hub(login, alice)
        until(lambda: (alice.server() or {}).get("pending") == "spawn", "a start that waits", 30)
        page = pages.text(alice.http.get("/hub/spawn-pending/alice"))
        assert "back into the queue" in page
        until(lambda: slurm.state(session.job_id) == "PENDING", "a job that waits", 60)
        login.run("scontrol", "release", str(session.job_id))
        login.run("scontrol", "update", job, "StartTime=now")  # a requeued job waits two minutes
        alice.wait_ready(90)
        assert session_jobs(slurm, "alice") == [session.job_id]
        settled(login, slurm, alice)
        alice.open_session().raise_for_status()
        assert alice.lab("GET", "kernels").raise_for_status().json() == []
