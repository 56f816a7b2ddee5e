"""Before the removal: it asks, it refuses, it says what would go; what is to stay is remembered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.lab.machines import Machine
from tests.lab.sessions import running, started
from tests.lab.waiting import until
from tests.lab_remove.traces import HOSTS, REMEMBERED, files, play, said, traces

if TYPE_CHECKING:
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

UNITS = ("berth-hub", "berth-proxy", "berth-web", "berth-helper.socket")
CONFIRMED = ("-e", "remove_confirmed=yes")


def active(login: Machine) -> list[str]:
    return [login.attempt("systemctl", "is-active", unit).stdout.strip() for unit in UNITS]


def test_the_search_for_traces_finds_what_is_there() -> None:
    """Were it blind, its silence afterwards would prove nothing."""
    found = {name: traces(Machine(name)) for name in HOSTS}
    assert {"/etc/berth", "/etc/pam.d/berth", "/var/lib/berth-hub", "/etc/passwd"} <= set(found["login"])
    assert "/etc/systemd/system/berth-hub.service" in found["login"]
    assert all("/usr/local/share/ca-certificates/berth-hub.crt" in found[name] for name in HOSTS[1:])


def test_it_asks_first(login: Machine) -> None:
    answer = play("remove")
    assert answer.returncode != 0
    assert "Nothing was changed. This takes Berth off login" in said(answer)
    assert "-e remove_confirmed=yes" in said(answer)
    assert active(login) == ["active"] * 4


def test_it_refuses_while_sessions_run_and_a_check_says_what_would_go(
    slurm: Slurm, login: Machine, alice: Visitor
) -> None:
    with running(slurm, alice) as session:
        answer = play("remove", *CONFIRMED)
        assert answer.returncode != 0
        assert f"Nothing was changed: 1 sessions run or wait: {session.job_id} of alice RUNNING" in said(
            answer
        )
        check = play("remove", "--check")
        assert check.returncode == 0, said(check)
        assert f"1 sessions: {session.job_id} of alice RUNNING" in said(check)
        for path in (
            "/etc/berth",
            "/opt/berth-hub",
            "/var/lib/berth-hub",
            "/etc/systemd/system/berth-hub.service",
        ):
            assert path in said(check)
        assert slurm.state(session.job_id) == "RUNNING"
        assert active(login) == ["active"] * 4
        alice.open_session().raise_for_status()


def test_what_is_to_stay_is_remembered(login: Machine) -> None:
    login.shell("mkdir -p ~/kept-by-alice && date > ~/kept-by-alice/notes", user="alice")
    for name in HOSTS:
        machine = Machine(name)
        found = {"slurm": files(machine, "/etc/slurm", "/etc/munge")}
        if name == "login":
            found["home"] = files(machine, "/home/alice/kept-by-alice", "/home/bob")
        machine.run("mkdir", "-p", REMEMBERED)
        machine.run("sh", "-c", 'printf %s "$0" > "$1"', json.dumps(found), f"{REMEMBERED}/files")


@pytest.fixture
def _held_user(login: Machine) -> None:
    """A process of the hub's user, which keeps it from being removed."""
    login.shell("runuser -u berth-hub -- sleep 600 > /dev/null 2>&1 & sleep 1; pgrep -u berth-hub sleep")


@pytest.mark.usefixtures("_held_user")
def test_a_removal_that_breaks_off_has_told_and_ended_the_sessions(
    slurm: Slurm, login: Machine, alice: Visitor
) -> None:
    """The last test before the removal itself, which goes on where this one stopped."""
    job = started(slurm, alice)
    try:
        alice.wait_ready()
        answer = play("remove", *CONFIRMED, "-e", "remove_end_sessions=yes", "-e", "remove_grace_seconds=2")
        assert answer.returncode != 0
        assert "currently used by process" in said(answer)
        assert slurm.state(job) == "CANCELLED"
        log = login.run("cat", f"/home/alice/.berth/log/session-{job}.log")
        assert "being taken off this cluster by its operators" in log
        assert active(login)[:2] == ["inactive", "inactive"]
        assert login.run("id", "-u", "berth-hub")
    finally:
        slurm.cancel(job)
        login.run("pkill", "-u", "berth-hub", "sleep")
    until(lambda: login.attempt("pgrep", "-u", "berth-hub").rc != 0, "no process of berth-hub", 10)
    assert slurm.output("alice", script="echo on") == "on"
