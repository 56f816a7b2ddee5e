"""Who shares what with whom: the rule on the form is Slurm's own, and the limits of a user hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.lab import pages
from tests.lab.cluster import COURSE, COURSE_NODE, OPEN_NODE, PARTITION, USERS_PER_CORE
from tests.lab.machines import lab
from tests.lab.sessions import ended, started
from tests.lab.slurm import ACCOUNTS, on
from tests.lab.waiting import until

if TYPE_CHECKING:
    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

LIMITS = lab().variables["slurm_interactive_limits"]
QOS = "berth_interactive"


def test_the_rule_on_the_form_is_that_of_the_partition(login: Machine, alice: Visitor) -> None:
    partition = login.run("scontrol", "show", "partition", PARTITION, "-o")
    assert f" OverSubscribe=FORCE:{USERS_PER_CORE} " in partition
    hint = pages.form(alice.form_page(), "spawn_form").label("Number of cores").hint
    assert f"Up to {USERS_PER_CORE} users may share a core" in hint


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
    left = LIMITS["cores_per_user"]
    jobs: list[int] = []
    try:
        # Whole nodes, as often as their cores are shared, until the limit is reached.
        for node in (OPEN_NODE,) * USERS_PER_CORE + (COURSE_NODE,) * USERS_PER_CORE:
            cores = min(node.cpus, left)
            if cores:
                jobs += [slurm.submit("bob", f"-c{cores}", *on(node.name), script="sleep 600")]
            left -= cores
        for number in jobs:
            slurm.wait_for(number, "RUNNING")
        session = started(slurm, bob, account=ACCOUNTS["bob"], reservation=COURSE)
        reason = "QOSMaxCpuPerUserLimit"
        until(lambda: slurm.job(session).get("Reason") == reason, f"a job that waits for {reason}", 20)
        told = (item["message"] for item in bob.progress())
        text = next(text for text in told if reason in text)
        assert text.startswith(f"Job {session} waits in the queue.")
        assert "You have as many cores as you may at a time." in text
        slurm.cancel(jobs.pop())
        bob.wait_ready()
    finally:
        ended(slurm, bob)
