"""Who shares what with whom: the rule on the form is Slurm's own, and the limits of a user hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from tests.lab import pages
from tests.lab.machines import ROOT
from tests.lab.sessions import ended, started
from tests.lab.slurm import ACCOUNTS, PARTITION, on
from tests.lab.waiting import until

if TYPE_CHECKING:
    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

INVENTORY = yaml.safe_load(
    (ROOT / "inventories/lab/group_vars/all/slurm_interactive.yml").read_text(encoding="utf-8")
)
LIMITS = INVENTORY["slurm_interactive_limits"]
CORES = 4
QOS = "berth_interactive"


def test_the_rule_on_the_form_is_that_of_the_partition(login: Machine, alice: Visitor) -> None:
    partition = login.run("scontrol", "show", "partition", PARTITION, "-o")
    shared_by = INVENTORY["slurm_interactive_shared_by"]
    assert f" OverSubscribe=FORCE:{shared_by} " in partition
    hint = pages.form(alice.form_page(), "spawn_form").label("Number of cores").hint
    assert f"Up to {shared_by} users may share a core" in hint


def test_the_partition_has_a_qos_with_the_limits_of_the_inventory(login: Machine) -> None:
    assert f" QoS={QOS} " in login.run("scontrol", "show", "partition", PARTITION, "-o")
    columns = "format=maxtrespu,maxjobspu,maxwall,flags"
    held = login.run("sacctmgr", "-nP", "show", "qos", "where", f"name={QOS}", columns)
    assert held == f"cpu={LIMITS['cores_per_user']},gres/gpu={LIMITS['gpus_per_user']}|||DenyOnLimit"


def test_a_request_above_a_limit_is_refused_at_once(login: Machine, slurm: Slurm) -> None:
    before = slurm.known("bob")
    # Two nodes have as many, but no user may have them at a time.
    each = LIMITS["gpus_per_user"] // 2 + 1
    asked = ("-A", ACCOUNTS["bob"], "-p", PARTITION, "-N2", f"--gres=gpu:{each}", "--wrap=true")
    answer = login.attempt("sbatch", "--chdir=/tmp", *asked, user="bob")
    assert answer.rc == 1
    assert "QOSMaxGRESPerUser" in answer.stderr
    assert slurm.known("bob") == before


def test_a_user_at_a_limit_waits_and_reads_why_until_something_ends(slurm: Slurm, bob: Visitor) -> None:
    full = LIMITS["cores_per_user"] // CORES
    nodes = ["gpu1"] * INVENTORY["slurm_interactive_shared_by"] + ["gpu2"] * full
    jobs: list[int] = []
    try:
        for node in nodes[:full]:
            jobs += [slurm.submit("bob", f"-c{CORES}", *on(node), script="sleep 600")]
        for number in jobs:
            slurm.wait_for(number, "RUNNING")
        session = started(slurm, bob, account=ACCOUNTS["bob"], reservation="course")
        reason = "QOSMaxCpuPerUserLimit"
        until(lambda: slurm.job(session).get("Reason") == reason, f"a job that waits for {reason}", 20)
        told = (item["message"] for item in bob.progress())
        assert next(text for text in told if reason in text).startswith(
            f"Job {session} waits in the queue. You have as many cores as you may at a time."
        )
        slurm.cancel(jobs.pop())
        bob.wait_ready()
    finally:
        ended(slurm, bob)
