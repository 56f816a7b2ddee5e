"""`berth doctor` and its playbook: all well on a healthy site, then one thing wrong at a time, each put back.

Not provoked here, but in tests/unit/doctor: clocks (containers share their machine's), versions of Slurm that
differ (all nodes have the same packages), and nodes without confinement (their jobs would not be safe).
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.lab.waiting import until
from tests.lab_operate import doctors
from tests.lab_operate.doctors import BERTH, LAYER, doctor, playbook, said

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm

SETTLED_SECONDS = 60.0


@contextmanager
def changed(machine: Machine, do: str, undo: str) -> Iterator[None]:
    """Do something on a machine, and undo it whatever happens."""
    try:
        machine.shell(do)
        yield
    finally:
        machine.shell(undo)


def test_a_healthy_site_is_well(login: Machine) -> None:
    answer = doctor(login)
    assert answer["ok"], said(answer)
    by_status = {item["status"] for item in answer["findings"]}
    assert "failure" not in by_status, said(answer)
    # The lab does not keep sessions on their cores, as only the playbook knows; the disk is the machine's.
    warned = [item["check"] for item in answer["findings"] if item["status"] == "warning"]
    assert set(warned) <= {"slurm.cgroup", "disk.space"}, said(answer)
    lines = login.run(*BERTH, "doctor").splitlines()
    assert len(lines) == len(answer["findings"]) + 1
    assert lines[-1].startswith(f"{len(lines) - 1} findings: ")


def test_the_playbook_reports_on_all_hosts_and_changes_nothing() -> None:
    answer = playbook("-e", "doctor_session_user=bob")
    assert answer.returncode == 0, answer.stdout
    assert "changed=0" in answer.stdout
    assert "changed=1" not in answer.stdout
    for sentence in (
        "munge takes a credential of login",
        "slurmctld has the partition and the nodes that the inventory describes",
        "a job of bob found all that a session needs on gpu1, gpu2",
        "hosts that are well: 3 of 3",
    ):
        assert sentence in answer.stdout
    assert "FAILURE" not in answer.stdout
    warnings = [line for line in answer.stdout.splitlines() if "WARNING" in line]
    assert [line for line in warnings if "disk.space" not in line] == []
    assert "MUNGE:" not in answer.stdout


def test_the_playbook_fails_the_host_on_which_something_fails_and_says_why(gpu1: Machine) -> None:
    with changed(gpu1, "systemctl stop munge", "systemctl start munge"):
        answer = playbook("-e", '{"doctor_only": ["munge", "node"]}')
        limited = playbook("--check", "--limit", "gpu2", "-e", '{"doctor_only": ["munge", "node"]}')
    assert answer.returncode == 2
    assert "FAILURE munge.local" in answer.stdout
    assert "systemctl restart munge" in answer.stdout
    assert "something fails on gpu1" in answer.stdout
    recap = {line.split()[0]: line for line in answer.stdout.splitlines() if "unreachable=" in line}
    assert "failed=1" in recap["gpu1"]
    assert "failed=0" in recap["gpu2"]
    assert limited.returncode == 0, limited.stdout
    assert "hosts that are well: 1 of 1" in limited.stdout


def test_the_playbook_names_a_host_that_cannot_be_reached(tmp_path: Path) -> None:
    more, ssh = tmp_path / "more.yml", tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\nexit 255\n", encoding="utf-8")  # as ssh ends where nobody answers
    ssh.chmod(0o755)
    gone = {"ansible_connection": "ssh", "ansible_host": "gpu9.invalid", "ansible_ssh_executable": str(ssh)}
    hosts = {"interactive_nodes": {"hosts": {"gpu9": gone}}}
    more.write_text(json.dumps(hosts), encoding="utf-8")
    answer = playbook("-i", str(more), "-e", '{"doctor_only": ["munge"]}')
    assert answer.returncode == 4
    assert "gpu9: cannot be reached, nothing is known of it" in answer.stdout
    assert "hosts that are well: 3 of 4; not reached: gpu9" in answer.stdout


def test_nobody_but_root_can_ask(login: Machine) -> None:
    answer = login.attempt(*BERTH, "doctor", user="alice")
    assert answer.rc == 1
    assert "run it as root" in answer.stderr


WRONG = [
    ("helper.socket", "chmod 0666 /run/berth/helper.sock", "chmod 0660 /run/berth/helper.sock", "mode 0666"),
    ("helper.policy", "chmod 0644 /etc/berth/helper.json", "chmod 0600 /etc/berth/helper.json", "mode 0644"),
    (
        "hub.settings",
        "chmod 0644 /etc/berth/proxy.env",
        "chmod 0600 /etc/berth/proxy.env",
        "proxy.env has mode",
    ),
    (
        "hub.services",
        "systemctl stop berth-helper.socket",
        "systemctl start berth-helper.socket",
        "berth-helper.socket is inactive",
    ),
    (
        "helper.socket",
        "systemctl stop berth-helper.socket",
        "systemctl start berth-helper.socket",
        "nobody can log in",
    ),
    ("munge.local", "systemctl stop munge", "systemctl start munge", "munge makes no credential"),
    (
        "disk.space",
        "mount -t tmpfs -o size=2m tmpfs /var/log; head -c 3M /dev/zero > /var/log/full 2>/dev/null || :",
        "umount /var/log",
        "/var/log, for logs, has 0 MiB",
    ),
    (
        "slurm.partition",
        "scontrol update PartitionName=interactive State=DOWN",
        "scontrol update PartitionName=interactive State=UP",
        "partition interactive is DOWN",
    ),
    (
        "slurm.form",
        "scontrol update PartitionName=interactive MaxTime=01:00:00",
        "scontrol update PartitionName=interactive MaxTime=08:00:00",
        "Slurm gives 60 at most",
    ),
    (
        "slurm.inventory",
        "scontrol update PartitionName=interactive OverSubscribe=FORCE:3",
        "scontrol update PartitionName=interactive OverSubscribe=FORCE:5",
        "the inventory says shared_by 5, slurmctld has 3",
    ),
    (
        "slurm.nodes",
        "scontrol update NodeName=gpu1 State=DRAIN Reason=doctor",
        "scontrol update NodeName=gpu1 State=RESUME",
        "node gpu1 is DRAIN",
    ),
    (
        "slurm.limits",
        "sacctmgr -i modify qos berth_interactive set MaxTRESPerUser=cpu=16",
        "sacctmgr -i modify qos berth_interactive set MaxTRESPerUser=cpu=32",
        "the inventory wants MaxTRESPerUser=",
    ),
    (
        "versions.berth",
        f"cp -p {LAYER}/.berth/wheel /tmp/wheel; echo other > {LAYER}/.berth/wheel",
        f"cp -p /tmp/wheel {LAYER}/.berth/wheel; rm /tmp/wheel",
        "has another Berth than the hub",
    ),
]


@pytest.mark.parametrize(("check", "do", "undo", "sentence"), WRONG)
def test_what_is_wrong_is_found_with_its_fix(
    check: str, do: str, undo: str, sentence: str, login: Machine
) -> None:
    given = doctors.inventory()
    with changed(login, do, undo):
        answer = doctor(login, "--only", check, given={"inventory": given})
    (found,) = (item for item in answer["findings"] if sentence in item["text"])
    assert found["status"] in {"failure", "warning"}
    assert found["fix"]
    assert answer["ok"] is (found["status"] == "warning")

    def well() -> bool:
        again = doctor(login, "--only", check, given={"inventory": given})
        return {item["status"] for item in again["findings"]} == {"ok"}

    until(well, f"{check} well again", SETTLED_SECONDS)


def test_rights_that_a_service_must_not_have_are_found(login: Machine) -> None:
    place = "/run/systemd/system/{0}.d"
    make = f"mkdir -p {place}; printf '[Service]\\n{{1}}\\n' > {place}/test.conf"
    remove = "rm -r /run/systemd/system/{0}.d; systemctl daemon-reload"
    helper, hub = "berth-helper@.service", "berth-hub.service"
    with changed(login, make.format(helper, "CapabilityBoundingSet=CAP_SYS_ADMIN"), remove.format(helper)):
        login.run("systemctl", "daemon-reload")
        assert "may have cap_sys_admin" in said(doctor(login, "--only", "helper.sandbox"))
    with changed(login, make.format(hub, "NoNewPrivileges=no"), remove.format(hub)):
        login.run("systemctl", "daemon-reload")
        assert "may gain privileges" in said(doctor(login, "--only", "hub.sandbox"))
    assert doctor(login, "--only", "helper.sandbox", "--only", "hub.sandbox")["ok"]


SLURM_CONF = {
    "AccountingStoreFlags=": "AccountingStoreFlags=job_comment,job_env",
    "PrivateData=": "PrivateData=jobs",
    "TaskPluginParam=": "TaskPluginParam=OOMKillStep",
    "SchedulerParameters=": "SchedulerParameters=batch_sched_delay=0",
}


def test_parameters_of_slurm_that_hurt_are_found(login: Machine) -> None:
    keys = "|".join(key.rstrip("=") for key in SLURM_CONF)
    lines = "\\n".join(SLURM_CONF.values())
    do = (
        "cd /etc/slurm; cp -p slurm.conf cgroup.conf /run/; "
        f"sed -i -E '/^({keys})=/d' slurm.conf; printf '{lines}\\n' >> slurm.conf; "
        "sed -i 's/^ConstrainRAMSpace=.*/ConstrainRAMSpace=no/' cgroup.conf; scontrol reconfigure"
    )
    kept = "/run/slurm.conf /run/cgroup.conf"
    undo = f"cp -p {kept} /etc/slurm/; scontrol reconfigure; rm {kept}"
    checks = [
        word for name in ("environments", "rights", "oom", "cgroup") for word in ("--only", f"slurm.{name}")
    ]
    with changed(login, do, undo):
        text = said(doctor(login, *checks))
    assert "FAILURE slurm.environments" in text
    assert "FAILURE slurm.rights         PrivateData hides jobs from berth-hub" in text
    assert "WARNING slurm.oom" in text
    assert "FAILURE slurm.cgroup         without ConstrainRAMSpace" in text
    assert doctor(login, *checks)["ok"]


def test_a_controller_or_an_accounting_that_is_away_is_told_once(login: Machine) -> None:
    with changed(login, "systemctl stop slurmctld", "systemctl start slurmctld"):
        answer = doctor(login, "--only", "slurm", "--only", "munge")
    failed = [item["check"] for item in answer["findings"] if item["status"] == "failure"]
    assert failed == ["slurm.controller"], said(answer)
    until(lambda: doctor(login, "--only", "slurm.controller")["ok"], "slurmctld", SETTLED_SECONDS)
    with changed(login, "systemctl stop slurmdbd", "systemctl start slurmdbd"):
        assert "slurmdbd does not answer" in said(doctor(login, "--only", "slurm.accounting"))
    until(lambda: doctor(login, "--only", "slurm.accounting")["ok"], "slurmdbd", SETTLED_SECONDS)


@pytest.fixture
def copied(login: Machine) -> Iterator[str]:
    """A copy of the settings, in a temporary place."""
    place = login.run("mktemp", "-d")
    login.shell(f"cp -a /etc/berth {place}/etc")
    yield f"{place}/etc"
    login.run("rm", "-r", place)


def test_certificates_that_end_or_are_for_others_are_found(login: Machine, copied: str) -> None:
    def made(days: str, name: str) -> str:
        login.shell(
            f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days {days} "
            f"-subj /CN=test -addext subjectAltName={name} -keyout {copied}/test.key -out {copied}/test.crt; "
            f"sed -i -E 's#(ssl_certificate(_key)?) .*/[a-z]+[.](crt|key);#\\1 {copied}/test.\\3;#' "
            f"{copied}/nginx.conf"
        )
        return said(doctor(login, "--etc", copied, "--only", "tls"))

    text = made("5", "DNS:login,IP:127.0.0.1")
    assert "WARNING tls.certificate" in text
    assert "renew it as your site does, then systemctl reload berth-web" in text
    assert "port 443 shows another certificate than the file holds" in text
    assert "is not for 127.0.0.1 but for login" in made("90", "DNS:login")


def test_settings_that_disagree_are_found(login: Machine, copied: str) -> None:
    login.shell(f"sed -i 's/partition: interactive/partition: nowhere/; s/:8000/:8009/' {copied}/hub.yml")
    text = said(doctor(login, "--etc", copied, "--only", "hub", "--only", "helper", "--only", "slurm"))
    assert "FAILURE slurm.partition      slurmctld has no partition nowhere" in text
    assert "the helper's partition is interactive, the hub's is nowhere" in text
    assert "the hub through the proxy does not answer" in text
    login.shell(f"echo 'pubic_url: x' >> {copied}/hub.yml")
    text = said(doctor(login, "--etc", copied, "--only", "hub", "--only", "slurm"))
    assert "FAILURE hub.settings" in text
    assert "pubic_url" in text
    assert "cannot be used, see the check hub.settings" in text


def test_a_database_of_another_revision_or_damaged_is_found(login: Machine, copied: str) -> None:
    state = f"{copied}/state"
    login.shell(
        f"install -d -o berth-hub -m 0700 {state}; cp -p /var/lib/berth-hub/hub.sqlite {state}; "
        f"sed -i 's#state_dir: .*#state_dir: {state}#' {copied}/hub.yml; "
        f"chmod 0755 {copied} $(dirname {copied})"
    )
    ask = ("--etc", copied, "--only", "hub.database")
    assert doctor(login, *ask)["ok"]
    script = (
        "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute(sys.argv[2]); d.commit(); print(0)"
    )
    login.run(
        "python3", "-c", script, f"{state}/hub.sqlite", "UPDATE alembic_version SET version_num = 'old'"
    )
    assert "has revision old, JupyterHub needs" in said(doctor(login, *ask))
    login.shell(f"printf broken | dd of={state}/hub.sqlite conv=notrunc bs=1 seek=0 status=none")
    assert "cannot be read: file is not a database" in said(doctor(login, *ask))
    login.run("chown", "root", f"{state}/hub.sqlite")
    assert "the hub, berth-hub, cannot write it" in said(doctor(login, *ask))


def test_a_file_that_does_not_belong_to_a_release_is_found(login: Machine) -> None:
    index = json.loads(login.run("cat", "/opt/berth/releases/index.json"))
    prefix = index["releases"][0]["environments"][0]["prefix"]
    with changed(login, f"touch {prefix}/alien", f"rm {prefix}/alien"):
        text = said(doctor(login, "--only", "releases"))
    assert f"FAILURE releases.files       {prefix}/alien: does not belong to the release" in text
    assert doctor(login, "--only", "releases")["ok"]


def test_what_is_wrong_with_a_node_is_found(login: Machine, gpu1: Machine, slurm: Slurm) -> None:
    facts = json.loads(login.run(*BERTH, "doctor", "--facts"))
    address = login.run("hostname", "-I").split()[0]
    wrong = facts | {
        "session_hub_url": f"https://{address}:8444",  # its certificate names no such address
        "releases": "0" * 64,
        "layers": ["/opt/berth/layers/none"],
        "slurm": "26.05.1",
        "munge": "MUNGE:AwQFAAB:",
    }
    text = said(doctor(gpu1, "--node", given={"hub": wrong}))
    for sentence in (
        "FAILURE munge.hub",
        "FAILURE node.hub             https://",
        "the certificate is not trusted",
        "FAILURE node.releases",
        "FAILURE node.layer           /opt/berth/layers/none is not here",
        "WARNING node.slurm",
        "WARNING versions.berth",
    ):
        assert sentence in text
    with changed(gpu1, "systemctl stop slurmd", "systemctl start slurmd"):
        assert "FAILURE node.slurmd" in said(doctor(gpu1, "--node", "--only", "node.slurmd"))
    until(lambda: slurm.takes_jobs("gpu1"), "gpu1 back in service", SETTLED_SECONDS)
    with changed(gpu1, "chmod 0700 /tmp", "chmod 1777 /tmp"):
        text = said(doctor(gpu1, "--node", "--only", "node.runtime"))
    assert "FAILURE node.runtime         /tmp has mode 0700" in text
    file = "/etc/slurm/cgroup.conf"
    do = f"cp -p {file} /run/cgroup.conf; sed -i '/ConstrainDevices/d' {file}"
    with changed(gpu1, do, f"cp -p /run/cgroup.conf {file}; rm /run/cgroup.conf"):
        text = said(doctor(gpu1, "--node", "--only", "node.cgroup"))
    assert "without ConstrainDevices=yes jobs could open each other's GPUs" in text


def test_a_job_is_started_on_every_node_for_those_who_may(login: Machine, slurm: Slurm) -> None:
    ask = ("--only", "session.start", "--start-seconds", "90", "--user")
    assert "found all that a session needs on gpu1, gpu2" in said(doctor(login, *ask, "bob"))
    text = said(doctor(login, *ask, "alice"))
    assert "node gpu2 is held by the reservation course" in text
    assert "found all that a session needs on gpu1." in text
    assert "FAILURE" not in text
    assert "FAILURE session.start        node gpu1: sbatch refuses" in said(doctor(login, *ask, "carol"))
    assert "There is no such user of this service" in said(doctor(login, *ask, "root"))
    kept = "/run/mode-of-bob"
    locked = f"stat -c %a /home/bob > {kept}; chmod 0500 /home/bob"
    with changed(login, locked, f"chmod $(cat {kept}) /home/bob; rm {kept}"):
        text = said(doctor(login, *ask, "bob"))
    assert "gave no report: nothing reached the home" in text
    assert slurm.queue("bob") == []
    assert login.shell("ls -a /home/bob /home/alice | grep berth-doctor || :") == ""
