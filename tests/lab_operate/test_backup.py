"""A backup brings back a hub that lost everything, with the sessions that ran and its users' logins."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.hub import HUB_SECONDS, hub_answers
from tests.lab.notebook import Kernel
from tests.lab.playbooks import attempt, play
from tests.lab.sessions import Session, running, session_jobs
from tests.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

KEPT = "/var/backups/berth-test"
BACKUP = ("/opt/berth-hub/venv/bin/python", "-I", "-m", "berth", "backup")
LOST = ("/var/lib/berth-hub/hub.sqlite", "/var/lib/berth-hub/cookie_secret", "/etc/berth/proxy.env")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def session(slurm: Slurm, alice: Visitor) -> Iterator[Session]:
    with running(slurm, alice) as session:
        yield session


@pytest.fixture(scope="module")
def archive(login: Machine, session: Session) -> Iterator[str]:
    """A backup that was made while a session ran, by the operator's playbook."""
    hub = login.property("berth-hub", "MainPID")
    session.visitor.wait_ready()
    play("backup", {"hub_backup_dir": KEPT, "hub_backup_keep": 2})
    assert login.property("berth-hub", "MainPID") == hub, "the hub was restarted for a backup"
    yield login.shell(f"ls {KEPT}/*.tar.gz")
    login.run("rm", "-rf", KEPT)


def check(login: Machine, archive: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(login.run(*BACKUP, "check", archive))
    return document


def test_a_backup_is_for_root_only_and_holds_what_the_host_alone_knows(login: Machine, archive: str) -> None:
    assert login.run("stat", "-c", "%a %U", archive) == "600 root"
    assert login.run("stat", "-c", "%a %U", KEPT) == "700 root"
    manifest = json.loads(login.run("tar", "-xzOf", archive, "manifest.json"))
    paths = {member["path"] for member in manifest["members"].values()}
    assert {*LOST[1:], "/etc/berth/tls/hub.key", "/etc/berth/tls/ca.key", "/etc/berth/hub.yml"} <= paths
    assert check(login, archive)["changed"] == []


def test_only_so_many_backups_are_kept(login: Machine, archive: str) -> None:
    for _ in range(2):
        login.run("sleep", "1")
        login.run(*BACKUP, "make", "--to", f"{KEPT}/few", "--keep", "1")
    assert len(login.shell(f"ls {KEPT}/few").splitlines()) == 1
    assert login.attempt("test", "-e", archive).rc == 0


def test_a_damaged_backup_is_refused_and_nothing_is_touched(
    login: Machine, archive: str, session: Session
) -> None:
    hub = login.property("berth-hub", "MainPID")
    login.shell(f"head -c 3000 {archive} > {KEPT}/damaged.tar.gz")
    answer = attempt("restore", {"hub_restore_archive": f"{KEPT}/damaged.tar.gz"})
    assert answer.status != 0
    assert "damaged.tar.gz is not a backup of the hub, or is damaged" in answer.said
    assert login.property("berth-hub", "MainPID") == hub
    session.visitor.wait_ready()


def test_a_run_that_names_no_backup_is_refused(login: Machine) -> None:
    hub = login.property("berth-hub", "MainPID")
    answer = attempt("restore")
    assert answer.status != 0
    assert "Name the archive: -e hub_restore_archive=" in answer.said
    assert login.property("berth-hub", "MainPID") == hub


def test_everything_that_was_lost_is_brought_back_and_sessions_are_found(
    slurm: Slurm, login: Machine, archive: str, session: Session, bob: Visitor
) -> None:
    visitor = session.visitor
    with Kernel.start(visitor) as kernel, running(slurm, bob, account="proj_b") as later:
        kernel.run("here = 'still'")
        login.run("systemctl", "stop", "berth-hub")
        login.run("rm", *LOST)
        said = check(login, archive)
        assert set(LOST[1:]) == set(said["changed"])
        assert said["unknown_jobs"] == [f"job {later.job_id} of bob"]
        answer = play("restore", {"hub_restore_archive": archive, "hub_restore_backup_first": False})
        assert f"job {later.job_id} of bob" in answer.said
        until(lambda: hub_answers(visitor), "a hub that answers", HUB_SECONDS)
        # The login of before, as the cookie secret is the one of before.
        visitor.wait_ready()
        assert session_jobs(slurm, "alice") == [session.job_id]
        assert visitor.open_session().url.path.startswith("/user/alice/lab")
        # The proxy was restarted with its secret: the page connects anew to the same kernel.
        kernel.reconnect()
        assert kernel.run("print(here)") == "still"
        # What the backup does not know is left alone: it is a job of its user's.
        assert slurm.state(later.job_id) == "RUNNING"
        assert bob.server() is None
        slurm.cancel(later.job_id)
    assert login.run("stat", "-c", "%a %U", LOST[1]) == "600 berth-hub"
    assert login.run("stat", "-c", "%a %U", LOST[2]) == "600 root"


def test_the_next_run_finds_everything_as_it_shall_be(archive: str) -> None:
    del archive
    assert set(play("hub").changes.values()) == {0}
