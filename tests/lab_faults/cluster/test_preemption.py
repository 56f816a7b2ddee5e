"""A site's own priorities: what a more urgent job takes from a session, its user reads."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.lab import pages
from tests.lab.cluster import OPEN_TYPE
from tests.lab.sessions import running
from tests.lab_faults.faults import gone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

SLURM_CONF = "/etc/slurm/slurm.conf"
URGENT = "urgent"
"""A partition of a site whose jobs take what those of others hold."""


@contextmanager
def urgent_partition(login: Machine) -> Iterator[None]:
    """A Slurm in which jobs of that partition end those of the others."""
    lines = (
        "PreemptType=preempt/partition_prio",
        "PreemptMode=CANCEL",
        f"PartitionName={URGENT} Nodes=ALL PriorityTier=60000 MaxTime=60",
    )
    login.run("cp", "--preserve=all", SLURM_CONF, f"{SLURM_CONF}.lab")
    login.shell(f"printf '%s\\n' {shlex.join(lines)} >> {SLURM_CONF}")
    try:
        login.run("systemctl", "restart", "slurmctld")
        yield
    finally:
        login.run("mv", f"{SLURM_CONF}.lab", SLURM_CONF)
        login.run("systemctl", "restart", "slurmctld")


def test_a_session_that_a_more_urgent_job_ends_says_so(slurm: Slurm, login: Machine, alice: Visitor) -> None:
    with running(slurm, alice, gpus=f"{OPEN_TYPE}:1") as session, urgent_partition(login):
        node = slurm.node(session.node.name)
        options = (f"--partition={URGENT}", f"--nodelist={session.node.name}", f"--mem={node['RealMemory']}M")
        # It only has to take the node, and ends by itself where a test that fails does not cancel it.
        job_id = slurm.submit("bob", *options, script="sleep 60")
        try:
            slurm.wait_for(job_id, "RUNNING", 120)
            gone(login, slurm, alice)
            assert slurm.state(session.job_id) == "PREEMPTED"
            said = "A job with a higher priority took the node."
            assert said in pages.text(alice.form_page())
            assert said in pages.text(alice.http.get("/hub/berth/history"))
        finally:
            slurm.cancel(job_id)
