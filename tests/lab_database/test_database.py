"""One variable moves the hub to PostgreSQL and back; nothing of it ends a session that runs."""

from __future__ import annotations

import json
import secrets
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.lab import pages
from tests.lab.hub import HUB_SECONDS, hub_answers, kill_hub
from tests.lab.notebook import Kernel
from tests.lab.playbooks import play
from tests.lab.sessions import Session, running, session_jobs
from tests.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor
    from tests.lab_database.conftest import Server

OUTAGE_SECONDS = 40.0
STATE = "/var/lib/berth-hub"
KEPT = "/var/backups/berth-test"
BACKUP = ("/opt/berth-hub/venv/bin/python", "-I", "-m", "berth", "backup")


@pytest.fixture(scope="module")
def session(slurm: Slurm, alice: Visitor) -> Iterator[Session]:
    """A session that was started before the move, and must be there at the end of it all."""
    with running(slurm, alice) as session:
        yield session


@pytest.fixture(scope="module")
def kernel(session: Session) -> Iterator[Kernel]:
    with Kernel.start(session.visitor) as kernel:
        kernel.run("here = 'still'")
        yield kernel


def lives(slurm: Slurm, session: Session, kernel: Kernel) -> None:
    """The session is the one that it was, for its user, for Slurm and for the hub."""
    session.visitor.wait_ready()
    assert session_jobs(slurm, "alice") == [session.job_id]
    assert session.visitor.open_session().url.path.startswith("/user/alice/lab")
    kernel.reconnect()
    assert kernel.run("print(here)") == "still"


@pytest.fixture(scope="module")
def moved(login: Machine, server: Server, session: Session, kernel: Kernel) -> Iterator[None]:
    """The hub on PostgreSQL; back on SQLite afterwards, with the same session."""
    del session, kernel  # they are there before
    play("hub", server.variables)
    try:
        yield
    finally:
        made = login.run(*BACKUP, "make", "--to", KEPT)
        play("hub")
        play("restore", {"hub_restore_archive": json.loads(made)["archive"], "hub_backup_dir": KEPT})
        login.shell(f"rm -rf {KEPT} {STATE}/hub.moved-*")


@pytest.fixture(autouse=True)
def _on_the_server(moved: None) -> None:
    """Every test has the hub on PostgreSQL."""


def test_the_session_has_survived_the_move(
    slurm: Slurm, login: Machine, server: Server, session: Session, kernel: Kernel
) -> None:
    lives(slurm, session, kernel)
    assert server.used()
    assert server.ask("SELECT count(*) FROM spawners WHERE server_id IS NOT NULL") == "1"
    assert login.shell(f"ls {STATE} | grep -c sqlite || :") == "0", "the hub would not know which one counts"


def test_a_second_run_changes_nothing(server: Server) -> None:
    assert set(play("hub", server.variables).changes.values()) == {0}


def test_the_password_stands_where_nobody_else_can_read_it(login: Machine, server: Server) -> None:
    assert login.run("stat", "-c", "%a %U", "/etc/berth/database.env") == "600 root"
    found = login.shell(f"grep -rl -- '{server.password}' /etc /var/lib/berth-hub || :").splitlines()
    assert found == ["/etc/berth/database.env"]
    assert server.password not in login.journal("-15min", "berth-hub")
    assert server.password not in login.run("ps", "-eo", "args")


def test_a_restart_of_the_hub_finds_the_session(
    slurm: Slurm, login: Machine, session: Session, kernel: Kernel
) -> None:
    login.run("systemctl", "restart", "berth-hub")
    until(lambda: hub_answers(session.visitor), "a new hub that answers", HUB_SECONDS)
    lives(slurm, session, kernel)
    kill_hub(login, session.visitor)
    lives(slurm, session, kernel)


def test_a_session_of_its_own_starts_stops_and_is_remembered(slurm: Slurm, bob: Visitor) -> None:
    with running(slurm, bob, account="proj_b") as session:
        assert session.job["UserId"].startswith("bob")
    page = until(lambda: history(bob, session.job_id), "the session in the history", 30)
    assert str(session.job_id) in page
    assert bob.server() is None


def history(visitor: Visitor, job_id: int) -> str:
    text = pages.text(visitor.http.get("/hub/berth/history"))
    return text if str(job_id) in text else ""


def test_a_restart_of_the_server_is_not_noticed(
    slurm: Slurm, login: Machine, server: Server, session: Session, kernel: Kernel
) -> None:
    hub = login.property("berth-hub", "MainPID")
    for _ in range(2):
        server.systemd("restart")
        assert session.visitor.http.get("/hub/home").status_code == 200
        lives(slurm, session, kernel)
    assert login.property("berth-hub", "MainPID") == hub
    with httpx.Client(verify=session.visitor.context, trust_env=False) as stranger:
        assert stranger.get(f"{session.visitor.http.base_url}/hub/login").status_code == 200


def test_a_server_that_stays_away_ends_no_session_and_the_pages_say_so(
    slurm: Slurm, login: Machine, server: Server, session: Session, kernel: Kernel
) -> None:
    server.systemd("stop")
    since = time.monotonic()
    try:
        page = until(
            lambda: unavailable(session.visitor), "the page that the service restarts", OUTAGE_SECONDS
        )
        assert "sessions" in page
        while time.monotonic() < since + OUTAGE_SECONDS:  # the outage itself is the test
            assert kernel.run("print(here)") == "still"
            time.sleep(5)
        assert slurm.state(session.job_id) == "RUNNING"
    finally:
        server.systemd("start")
    until(lambda: hub_answers(session.visitor), "the hub with its database", HUB_SECONDS)
    lives(slurm, session, kernel)
    assert "The hub ends, to be started again with the database" in login.journal("-3min", "berth-hub")


def unavailable(visitor: Visitor) -> str:
    """What the users read while the hub is away; empty while it is there."""
    try:
        answer = visitor.http.get("/hub/home", timeout=30)
    except httpx.HTTPError:
        return ""
    return pages.text(answer) if answer.status_code == 503 else ""


def test_the_password_is_rotated_while_a_session_runs(
    slurm: Slurm, server: Server, session: Session, kernel: Kernel
) -> None:
    before = server.ask("SELECT rolpassword FROM pg_authid WHERE rolname = 'berth'", "postgres")
    server.password = secrets.token_urlsafe(24)
    play("rotate", {**server.variables, "hub_rotate": ["database"]})
    after = server.ask("SELECT rolpassword FROM pg_authid WHERE rolname = 'berth'", "postgres")
    assert after.startswith("SCRAM-SHA-256$")
    assert after != before
    lives(slurm, session, kernel)
    assert server.used()


def test_a_backup_of_the_server_is_brought_back(
    slurm: Slurm, login: Machine, server: Server, session: Session, kernel: Kernel
) -> None:
    made = json.loads(login.run(*BACKUP, "make", "--to", KEPT))
    server.ask("INSERT INTO users (name, cookie_id) VALUES ('mistake', 'mistake')")
    variables = {**server.variables, "hub_backup_dir": KEPT, "hub_restore_archive": made["archive"]}
    play("restore", variables)
    assert server.ask("SELECT count(*) FROM users WHERE name = 'mistake'") == "0"
    lives(slurm, session, kernel)
    # Numbers go on after those that were brought back.
    assert session.visitor.token()
