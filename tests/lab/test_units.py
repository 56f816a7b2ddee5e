"""The units on the hub's host, as the kernel enforces them and not as their files describe them."""

from __future__ import annotations

import pytest

from tests.lab.machines import LOGIN, NODES, Machine

UNITS = ("berth-hub", "berth-proxy", "berth-web", "berth-helper.socket")


def status(login: Machine, unit: str) -> dict[str, str]:
    """/proc/PID/status of a unit's main process."""
    pid = login.property(unit, "MainPID")
    lines = login.run("cat", f"/proc/{pid}/status").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def inside(login: Machine, unit: str, script: str) -> tuple[int, str]:
    """Run a script as root in the file systems that a unit sees."""
    pid = login.property(unit, "MainPID")
    result = login.attempt("nsenter", "--target", pid, "--mount", "sh", "-c", script)
    return int(result.rc), str(result.stderr)


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_runs_and_starts_with_the_machine(login: Machine, unit: str) -> None:
    assert login.host.service(unit).is_running
    assert login.host.service(unit).is_enabled


@pytest.mark.parametrize("name", [LOGIN, *NODES])
def test_no_unit_of_a_machine_failed(name: str) -> None:
    assert Machine(name).run("systemctl", "--failed", "--plain", "--no-legend") == ""


@pytest.mark.parametrize("unit", ["berth-hub", "berth-proxy"])
def test_a_unit_has_no_privilege_and_cannot_gain_one(login: Machine, unit: str) -> None:
    process = status(login, unit)
    assert "0" not in process["Uid"].split()
    assert process["NoNewPrivs"] == "1"
    assert process["Seccomp"] == "2"
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(process[name], 16) == 0, name


def test_the_hub_runs_as_its_own_user(login: Machine) -> None:
    uid = login.run("id", "-u", "berth-hub")
    assert status(login, "berth-hub")["Uid"].split() == [uid] * 4
    assert login.run("id", "-G", "berth-hub") == login.run("id", "-g", "berth-hub")
    # The collector and whatever else the hub started share its limits.
    control_group = login.property("berth-hub", "ControlGroup")
    pids = login.run("systemctl", "show", "--value", "-p", "MainPID", "berth-hub")
    others = login.run("ps", "-o", "uid=", "--ppid", pids).split()
    assert control_group
    assert others
    assert set(others) == {uid}


@pytest.mark.parametrize("path", ["/etc", "/usr", "/opt/berth-hub", "/opt/berth", "/etc/berth"])
@pytest.mark.parametrize("unit", ["berth-hub", "berth-proxy"])
def test_a_unit_sees_the_system_read_only(login: Machine, unit: str, path: str) -> None:
    code, message = inside(login, unit, f"touch {path}/berth-test")
    assert code != 0
    assert "Read-only file system" in message


@pytest.mark.parametrize("unit", ["berth-hub", "berth-proxy"])
def test_a_unit_does_not_see_homes_and_devices(login: Machine, unit: str) -> None:
    code, _ = inside(login, unit, "ls /home/alice")
    assert code != 0
    code, _ = inside(login, unit, "test -e /dev/kmsg || test -e /dev/console")
    assert code != 0


def test_settings_and_secrets_are_for_those_who_need_them(login: Machine) -> None:
    modes = {
        "/etc/berth/hub.yml": "640 root berth-hub",
        "/etc/berth/form.yml": "640 root berth-hub",
        "/etc/berth/helper.json": "600 root root",
        "/etc/berth/proxy.env": "600 root root",
        "/etc/berth/operator.env": "600 root root",
        "/etc/berth/tls/hub.key": "600 root root",
        "/var/lib/berth-hub": "700 berth-hub berth-hub",
        "/run/berth/helper.sock": "660 root berth-hub",
    }
    assert {path: login.run("stat", "-c", "%a %U %G", path) for path in modes} == modes


def test_users_cannot_ask_the_helper(login: Machine) -> None:
    script = "import socket; socket.socket(socket.AF_UNIX).connect('/run/berth/helper.sock')"
    result = login.attempt("python3", "-c", script, user="alice")
    assert result.rc != 0
    assert "Permission denied" in result.stderr


LAB_CHANNEL = 8090
"""Port of the lab's conda channel, which is no part of the service."""


def test_only_the_front_is_reachable_from_the_network(login: Machine) -> None:
    rows = login.run("ss", "-H", "-l", "-t", "-n", "-p").splitlines()
    open_to_all: dict[int, str] = {}
    for row in rows:
        address, _, port = row.split()[3].rpartition(":")
        if address not in {"127.0.0.1", "[::1]"} and int(port) != LAB_CHANNEL:
            open_to_all[int(port)] = row.split()[-1]
    ours = {port for port, owner in open_to_all.items() if '"nginx"' in owner}
    assert ours == {80, 443, 8444}
    others = {owner.split('"')[1] for port, owner in open_to_all.items() if port not in ours and '"' in owner}
    assert others <= {"slurmctld", "slurmdbd", "munged"}, rows


@pytest.mark.parametrize("url", ["http://127.0.0.1:8001/api/routes", "http://127.0.0.1:8081/hub/api/users"])
def test_what_listens_on_loopback_wants_a_token(login: Machine, url: str) -> None:
    script = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1])"
    result = login.attempt("python3", "-c", script, url, user="alice")
    assert "HTTP Error 403" in result.stderr
