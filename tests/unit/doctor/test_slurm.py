"""Each finding about Slurm, provoked in what a real Slurm has answered."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from berth.doctor import confinement, promises, rights, slurm, versions
from berth.doctor.commands import Answer
from berth.doctor.model import NotApplicableError, Status
from berth.slurm.errors import SlurmRefused
from tests.unit.doctor import places
from tests.unit.doctor.places import CONFIG, INVENTORY, NODES, PARTITION, programs, said, site
from tests.unit.slurm import recorded

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.doctor.places import Answers

WITHOUT_ACCOUNTING = recorded.text("24.11", "config-without-accounting.txt")


def changed(old: str, new: str, text: str = CONFIG) -> str:
    assert old in text
    return text.replace(old, new)


def value(key: str, new: str) -> str:
    """The recorded configuration with another value of one parameter."""
    line = next(line for line in CONFIG.splitlines() if line.split("=")[0].strip() == key)
    return CONFIG.replace(line, f"{line.split('=')[0]}= {new}")


WELL = [
    slurm.controller,
    slurm.accounting,
    slurm.partition,
    slurm.nodes,
    promises.inventory,
    promises.limits,
    confinement.sharing,
    confinement.controller,
    confinement.oom,
    rights.environments,
]


@pytest.mark.parametrize("check", WELL, ids=lambda check: f"{check.__module__}.{check.__name__}")
def test_a_slurm_that_is_well(check: Any, etc: Path) -> None:
    found = check(site(etc, inventory=INVENTORY))
    assert [finding.status for finding in found] == [Status.OK], said(found)


PROVOKED = [
    (slurm.controller, {"show config": None}, "failure: slurmctld does not answer: .*connect failure"),
    (
        slurm.controller,
        {"show config": changed("at login is UP", "at login is DOWN")},
        r"warning: slurmctld \(primary\) at login is DOWN",
    ),
    (slurm.accounting, {"show cluster": None}, "failure: slurmdbd does not answer"),
    (slurm.accounting, {"show cluster": "other\n"}, "failure: slurmdbd knows no cluster lab | sacctmgr add"),
    (
        slurm.partition,
        {"show partition": SlurmRefused("scontrol: Partition interactive not found")},
        "failure: slurmctld has no partition interactive: .*not found.*run playbooks/slurm.yml",
    ),
    (
        slurm.partition,
        {"show partition": changed("State=UP", "State=DOWN", PARTITION)},
        "failure: partition interactive is DOWN.*State=UP",
    ),
    (
        slurm.partition,
        {"show partition": changed("Nodes=gpu[1-2]", "Nodes=(null)", PARTITION)},
        "failure: partition interactive has no nodes",
    ),
    (
        slurm.nodes,
        {"show partition": changed("Nodes=gpu[1-2]", "Nodes=gpu[1-3]", PARTITION)},
        r"warning: node gpu3 is DRAIN\+NOT_RESPONDING\+UNKNOWN \(fan broken\).*NodeName=gpu3 State=RESUME",
    ),
    (
        slurm.nodes,
        {"show partition": changed("Nodes=gpu[1-2]", "Nodes=gpu3", PARTITION)},
        "failure: no node of the partition takes jobs",
    ),
    (
        promises.form,
        {"show partition": changed("MaxTime=08:00:00", "MaxTime=00:10:00", PARTITION)},
        "warning: the form has a choice of .* minutes, Slurm gives 10 at most.*spawner_form_time",
    ),
    (
        promises.form,
        {"show node": changed('"real_memory": 4000', '"real_memory": 10', NODES)},
        "warning: the form has a choice of .* MiB of memory, Slurm gives 10 at most",
    ),
    (
        promises.form,
        {"show node": changed('"gres": "gpu:a100:2"', '"gres": ""', NODES)},
        "GPUs, Slurm gives 0 at most",
    ),
    (
        promises.inventory,
        {"show partition": changed("FORCE:5", "NO", PARTITION)},
        "failure: the partition: the inventory says shared_by 5, slurmctld has 1.*interactive_shared_by",
    ),
    (
        promises.inventory,
        {"show partition": changed("MaxTime=08:00:00", "MaxTime=04:00:00", PARTITION)},
        "max_time 480, slurmctld has 240",
    ),
    (
        promises.inventory,
        {"show partition": changed("gpu[1-2]", "gpu1", PARTITION)},
        r"nodes gpu\[1-2\], slurmctld has gpu1",
    ),
    (
        promises.inventory,
        {"show node": changed('"gres": "gpu:a100:2"', '"gres": "gpu:a100:1"', NODES)},
        "failure: node gpu1: the inventory says GPUs 2, slurmctld has 1",
    ),
    (
        promises.inventory,
        {"show node": changed('"real_memory": 4000', '"real_memory": 3000', NODES)},
        "failure: node gpu1: the inventory says memory in MiB 4000, slurmctld has 3000",
    ),
    (
        confinement.sharing,
        {"show config": value("SelectType", "select/linear")},
        "failure: the running slurmctld: SelectType=select/linear",
    ),
    (
        confinement.sharing,
        {"show config": value("SelectTypeParameters", "CR_CORE")},
        "memory is not consumable.*write CR_Core_Memory",
    ),
    (
        confinement.sharing,
        {"show config": value("TaskPlugin", "task/affinity")},
        "without task/cgroup nothing keeps.*write TaskPlugin=",
    ),
    (confinement.sharing, {"show config": value("PreemptMode", "GANG,SUSPEND")}, "take GANG out"),
    (confinement.sharing, {"show config": value("GresTypes", "(null)")}, "GresTypes=.*lacks gpu"),
    (
        confinement.controller,
        {"show config": value("ConstrainRAMSpace", "no")},
        "failure: without ConstrainRAMSpace one session could take .*ConstrainRAMSpace=yes in cgroup.conf",
    ),
    (
        confinement.controller,
        {"show config": value("ConstrainDevices", "no")},
        "failure: without ConstrainDevices every session could use the GPUs",
    ),
    (
        confinement.controller,
        {"show config": value("ConstrainSwapSpace", "no")},
        "warning: without ConstrainSwapSpace a session over its memory",
    ),
    (
        confinement.oom,
        {"show config": value("TaskPluginParam", "OOMKillStep")},
        "warning: TaskPluginParam has OOMKillStep.*take OOMKillStep out",
    ),
    (
        rights.environments,
        {"show config": value("AccountingStoreFlags", "job_comment,job_env")},
        "failure: the accounting keeps the environment of every session, its token included",
    ),
    (
        rights.environments,
        {"show config": value("AccountingStoreFlags", "job_script")},
        "warning: the accounting keeps the script of every job",
    ),
]


@pytest.mark.parametrize(("check", "answers", "sentence"), PROVOKED)
def test_what_is_wrong_with_slurm_is_found(check: Any, answers: Answers, sentence: str, etc: Path) -> None:
    text = said(check(site(etc, answers, inventory=INVENTORY)))
    assert re.search(sentence, text), text


def test_every_choice_of_the_form_fits(etc: Path) -> None:
    small = {
        "cores": {"default": 1, "choices": [1, 4]},
        "memory": {"default": "1G", "choices": ["1G", "4000M"]},
        "gpus": {"default": 0, "choices": [0, 2]},
        "time": {"default": "01:00:00", "choices": ["01:00:00", "08:00:00"]},
    }
    places.settings(etc, form=small)
    assert said(promises.form(site(etc))).startswith("ok: every choice of the form fits")


def test_cores_that_are_not_kept_are_a_warning_unless_the_inventory_means_it(etc: Path) -> None:
    found = confinement.controller(site(etc))
    assert [finding.status for finding in found] == [Status.WARNING]
    assert "without ConstrainCores a session may use every core" in said(found)
    told = confinement.controller(site(etc, inventory=INVENTORY))
    assert "ConstrainCores is off, as the inventory says" in said(told)


def test_without_accounting_there_is_nothing_to_ask(etc: Path) -> None:
    alone = site(etc, {"show config": WITHOUT_ACCOUNTING})
    for check in (slurm.accounting, promises.limits, rights.environments):
        with pytest.raises(NotApplicableError, match="no accounting"):
            check(alone)


def test_without_the_playbook_nobody_knows_the_inventory(etc: Path) -> None:
    with pytest.raises(NotApplicableError, match=r"playbooks/doctor\.yml"):
        promises.inventory(site(etc))


LIMITED = {"show partition": changed("QoS=N/A", "QoS=berth_interactive", PARTITION)}
WANTED = INVENTORY | {"limits": {"cores_per_user": 32, "gpus_per_user": 3}}


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        (LIMITED, "ok: the limits of users are kept in the QOS berth_interactive"),
        ({}, "failure: the partition's QOS is none, its limits are in berth_interactive"),
        (
            LIMITED | {"show qos": "cpu=16|||DenyOnLimit\n"},
            "holds cpu=16.*the inventory wants MaxTRESPerUser=",
        ),
        (LIMITED | {"show qos": "\n"}, "the QOS berth_interactive of the partition does not exist"),
        (LIMITED | {"show qos": None}, "the QOS berth_interactive cannot be read"),
        (
            LIMITED | {"show config": value("AccountingStorageEnforce", "associations")},
            "is not enforced: AccountingStorageEnforce has no limits",
        ),
    ],
)
def test_limits_are_those_of_the_inventory_and_enforced(answers: Answers, sentence: str, etc: Path) -> None:
    text = said(promises.limits(site(etc, answers, inventory=WANTED)))
    assert re.search(sentence, text), text


PRIVATE = {"show config": value("PrivateData", "jobs,usage")}


@pytest.mark.parametrize(
    ("answers", "seen", "sentence"),
    [
        ({}, "1\n2\n", "ok: Slurm tells nobody of everybody's jobs"),
        ({}, "1\n", "failure: Slurm tells nobody nothing of 1 jobs of the partition that root sees"),
        (PRIVATE, "1\n2\n", "failure: PrivateData hides jobs, usage from nobody, whose admin level is none"),
        (PRIVATE | {"show user": ""}, "", "whose admin level is none | sacctmgr modify user nobody set"),
        (PRIVATE | {"show user": "Operator\n"}, "1\n2\n", "though PrivateData hides jobs, usage from others"),
        (
            {
                "show config": WITHOUT_ACCOUNTING.replace(
                    "PrivateData             = none", "PrivateData = jobs"
                )
            },
            "",
            "without slurmdbd there are no operators",
        ),
    ],
)
def test_the_hub_s_right_under_private_data(
    answers: Answers,
    seen: str,
    sentence: str,
    etc: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = programs(monkeypatch)
    made.answers = {"nobody: /usr/bin/squeue": seen, "root: /usr/bin/squeue": "1\n2\n"}
    assert sentence in said(rights.private_data(site(etc, answers)))


def test_versions_of_slurm_that_differ(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs(monkeypatch, sinfo="slurm-wlm 24.11.5\n")
    assert said(versions.slurm(site(etc))).startswith("ok: ")
    programs(monkeypatch, sinfo="slurm 25.05.1\n")
    assert "failure: the commands of this host has Slurm 25.05.1, slurmctld 24.11.5" in said(
        versions.slurm(site(etc))
    )
    programs(monkeypatch, sinfo="slurm-wlm 24.11.5\n")
    older = changed('"version": "24.11.5"', '"version": "23.11.4"', NODES)
    assert "warning: slurmd of 2 nodes has Slurm 23.11.4, slurmctld 24.11.5" in said(
        versions.slurm(site(etc, {"show node": older}))
    )
    ancient = changed('"version": "24.11.5"', '"version": "21.08.1"', NODES)
    assert "failure: slurmd of 2 nodes has Slurm 21.08.1" in said(
        versions.slurm(site(etc, {"show node": ancient}))
    )


@pytest.mark.parametrize(
    ("answer", "status"),
    [("slurm-wlm 24.11.5", Status.OK), ("slurm 24.11.1", Status.WARNING), ("slurm 26.05.0", Status.FAILURE)],
)
def test_the_slurmd_of_a_node(
    answer: str, status: Status, etc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = programs(monkeypatch)
    made.answers = {"slurmd -V": Answer(0, answer, "")}
    found = versions.slurmd(site(etc, against={"slurm": "24.11.5"}))
    assert [finding.status for finding in found] == [status]


CGROUP = "ConstrainDevices=yes\nConstrainRAMSpace=yes\nConstrainSwapSpace=yes\nConstrainCores={}\n"


def test_the_cgroup_conf_of_a_node(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = programs(monkeypatch)
    made.answers = {"scontrol show config": f"SLURM_CONF = {etc}/slurm.conf\n"}
    monkeypatch.setattr(confinement, "_PLACES", ())
    assert f"failure: there is no cgroup.conf in {etc}" in said(confinement.node(site(etc)))
    path = etc / "cgroup.conf"
    path.write_text(CGROUP.format("yes"), encoding="utf-8")
    assert said(confinement.node(site(etc))).startswith("ok: ")
    path.write_text(CGROUP.format("no"), encoding="utf-8")
    assert "warning: " in said(confinement.node(site(etc)))
    assert said(confinement.node(site(etc, inventory=INVENTORY))).startswith("ok: ")
    path.write_text(CGROUP.format("yes").replace("ConstrainRAMSpace=yes", ""), encoding="utf-8")
    text = said(confinement.node(site(etc)))
    assert "failure: " in text
    assert "without ConstrainRAMSpace=yes jobs could take each other's memory" in text


def test_slurm_is_asked_once_and_its_failure_kept(etc: Path) -> None:
    from berth.doctor.site import Options, Site  # noqa: PLC0415 - the real one

    real = Site(Options(etc=etc))
    with pytest.raises(Exception, match="cannot be run") as first:
        real.ask(["/nowhere/scontrol"])
    with pytest.raises(Exception, match="cannot be run") as second:
        real.ask(["/nowhere/scontrol"])
    assert first.value is second.value
    assert places.SOMEBODY.pw_name == real.hub_user.pw_name
