"""After playbooks/remove.yml: no trace of Berth, and everything else as it was."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.lab.machines import Machine
from tests.lab_remove.traces import HOSTS, REMEMBERED, files, play, said, traces

if TYPE_CHECKING:
    from tests.lab.slurm import Slurm

PORTS = (443, 80, 8444, 8081, 8000, 8001)


def remembered(machine: Machine, what: str) -> dict[str, list[object]]:
    found: dict[str, list[object]] = json.loads(machine.run("cat", f"{REMEMBERED}/files"))[what]
    return found


@pytest.mark.parametrize("name", HOSTS)
def test_nothing_on_a_machine_names_berth(name: str) -> None:
    assert traces(Machine(name)) == []


@pytest.mark.parametrize("name", HOSTS)
def test_no_unit_user_group_or_process_is_left(name: str) -> None:
    machine = Machine(name)
    assert machine.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "berth*") == ""
    # Without one it ends with status 1.
    assert machine.attempt("systemctl", "list-unit-files", "--no-legend", "berth*").stdout == ""
    assert "berth" not in machine.shell("cat /etc/passwd /etc/group; ps -eo args")


def test_the_ports_of_the_service_are_closed(login: Machine) -> None:
    listening = login.run("ss", "-Hltn")
    assert [port for port in PORTS if f":{port} " in listening] == []


@pytest.mark.parametrize("name", HOSTS[1:])
def test_nodes_trust_the_hub_s_ca_no_more(name: str) -> None:
    assert Machine(name).run("find", "/etc/ssl/certs", "-name", "*berth*") == ""


@pytest.mark.parametrize("name", HOSTS)
def test_slurm_s_files_are_byte_for_byte_what_they_were(name: str) -> None:
    machine = Machine(name)
    assert files(machine, "/etc/slurm", "/etc/munge") == remembered(machine, "slurm")


def test_the_users_files_are_what_they_were(login: Machine) -> None:
    before = remembered(login, "home")
    assert any(path.endswith("kept-by-alice/notes") for path in before)
    assert files(login, "/home/alice/kept-by-alice", "/home/bob") == before


def test_slurm_runs_jobs_and_remembers_the_sessions(slurm: Slurm, login: Machine) -> None:
    assert slurm.output("alice", script="hostname").startswith("gpu")
    names = login.run("sacct", "--allusers", "--noheader", "--parsable2", "--format=JobName").split()
    assert any(name.startswith("berth-") for name in names), "accounting keeps what there was"


def test_a_second_removal_changes_nothing() -> None:
    answer = play("remove", "-e", "remove_confirmed=yes")
    assert answer.returncode == 0, said(answer)
    assert " changed=0 " in said(answer)
    assert said(answer).count("changed=") == said(answer).count(" changed=0 ")
