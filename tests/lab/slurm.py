"""Slurm as its users see it, read independently of Berth's own parsers."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.lab.cluster import CLUSTER, PARTITION, RESERVED
from tests.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.lab.machines import Machine

ACCOUNTS: Mapping[str, str] = {"alice": "proj_a", "bob": "proj_b"}
"""An account for the jobs that tests submit by hand."""
START_SECONDS = 30.0
END_SECONDS = 30.0
OUT_OF_SERVICE = {"DOWN", "DRAIN", "FAIL", "MAINT", "PLANNED", "NOT", "UNKNOWN"}
"""Words in a node's state (NOT_RESPONDING among them) of which each keeps jobs away."""
ALIVE = {"PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED"}

_FIELD = re.compile(r"(?:^|\s)([A-Za-z][A-Za-z_/:]*)=(\S*)")


def on(node: str) -> tuple[str, ...]:
    """Options of a job of bob's that shall run on a certain node."""
    reserved = RESERVED.get(node)
    return (f"--nodelist={node}", *([f"--reservation={reserved}"] if reserved else []))


class Slurm:
    """Slurm's commands on the login node."""

    def __init__(self, login: Machine) -> None:
        """Take the machine on which users submit."""
        self.login = login

    def job(self, job_id: int) -> dict[str, str]:
        """What `scontrol show job` says; empty once Slurm has forgotten the job."""
        result = self.login.attempt("scontrol", "show", "job", "-d", "-o", str(job_id))
        return dict(_FIELD.findall(result.stdout)) if result.rc == 0 else {}

    def state(self, job_id: int) -> str:
        """The state of a job, from the controller or else from accounting."""
        state = self.job(job_id).get("JobState", "")
        return state or self.accounted(job_id, "State").partition(" ")[0]

    def accounted(self, job_id: int, field: str) -> str:
        """One field of the job in accounting; empty while it is not there."""
        listing = self.login.run("sacct", "-X", "-n", "-P", "-j", str(job_id), "-o", field)
        return listing.splitlines()[0] if listing else ""

    def submit(self, user: str, *options: str, script: str) -> int:
        """Queue a job of sh as a user; its output is thrown away unless the options say otherwise."""
        argv = [
            *("sbatch", "--parsable", "--no-requeue", "--chdir=/tmp", "--output=/dev/null"),
            *("--partition", PARTITION, "--account", ACCOUNTS[user], "--time=10", "--mem=100M"),
            *options,
            f"--wrap={script}",
        ]
        return int(self.login.run(*argv, user=user))

    def output(self, user: str, *options: str, script: str) -> str:
        """What a job prints, waiting for its end. It runs through sbatch, as sessions do."""
        path = f"/home/{user}/.lab-test-output"
        job_id = self.submit(user, f"--output={path}", *options, script=script)
        try:
            self.wait_for(job_id, "COMPLETED")
            return self.login.run("cat", path)
        finally:
            self.cancel(job_id)
            self.login.run("rm", "-f", path)

    def wait_for(self, job_id: int, state: str, seconds: float = START_SECONDS) -> None:
        """Wait until a job is in a state; one that ended otherwise fails at once."""

        def reached() -> bool:
            seen = self.state(job_id)
            assert seen == state or seen in ALIVE or not seen, f"job {job_id} is {seen}, not {state}"
            return seen == state

        until(reached, f"job {job_id} {state} ({self.job(job_id)})", seconds)

    def queue(self, user: str) -> list[int]:
        """Ids of the jobs of a user that have not ended, one for each task of an array."""
        return [int(line) for line in self.login.run("squeue", "-h", "-r", "-u", user, "-o", "%A").split()]

    def known(self, user: str) -> set[int]:
        """Ids of all jobs of a user that the controller still remembers, ended ones included."""
        listing = self.login.run("squeue", "-h", "-r", "-t", "all", "-u", user, "-o", "%A")
        return {int(line) for line in listing.split()}

    def names(self, user: str) -> dict[int, str]:
        """Names of the jobs that have not ended."""
        rows = self.login.run("squeue", "-h", "-u", user, "-o", "%A %j").splitlines()
        return {int(number): name for number, name in (row.split(" ", 1) for row in rows)}

    def cancel(self, *job_ids: int) -> None:
        """End jobs and wait until they have left the queue."""
        if not job_ids:
            return
        numbers = ",".join(map(str, job_ids))
        self.login.attempt("scancel", "--quiet", *map(str, job_ids))

        def left() -> str:
            listing = self.login.attempt("squeue", "-h", "-j", numbers, "-o", "%A %T")
            return str(listing.stdout).strip() if listing.rc == 0 else ""

        until(lambda: not left(), f"the end of jobs {numbers}", END_SECONDS)

    def node(self, name: str) -> dict[str, str]:
        """What `scontrol show node` says, the used GPUs (GresUsed) included."""
        return dict(_FIELD.findall(self.login.run("scontrol", "show", "node", "-d", "-o", name)))

    def takes_jobs(self, name: str) -> bool:
        """Whether a node is in service and answers: not drained, down, failing, or promised to a job."""
        return not set(re.findall(r"[A-Z]+", self.node(name)["State"])) & OUT_OF_SERVICE

    def free_memory(self, name: str) -> int:
        """Memory of a node that no job holds, in MiB."""
        node = self.node(name)
        return int(node["RealMemory"]) - int(node["AllocMem"])

    def free_gpus(self, name: str) -> Counter[str]:
        """GPUs of a node that no job holds, by each type that it has; 0 where all are taken."""
        node = self.node(name)
        # A node without GPUs has (null), and uses `gpu:0`.
        used = _gpus(node["GresUsed"])
        assert set(used.elements()) <= set(_gpus(node["Gres"])), node
        return Counter({kind: count - used[kind] for kind, count in _gpus(node["Gres"]).items()})

    def reserved_nodes(self) -> set[str]:
        """Nodes that only the users of some reservation can use now."""
        listing = self.login.run("scontrol", "show", "reservation", "-o").splitlines()
        reservations = [dict(_FIELD.findall(line)) for line in listing if "ReservationName=" in line]
        return {item["Nodes"] for item in reservations if item["State"] == "ACTIVE"}


@contextmanager
def full_nodes(slurm: Slurm) -> Iterator[list[int]]:
    """Nodes whose memory is taken by jobs of bob's; cancel them to make room."""
    blockers: list[int] = []
    try:
        for node in CLUSTER:
            options = (f"--mem={node.memory - 100}M", "--time=60", *on(node.name))
            blockers += [slurm.submit("bob", *options, script="sleep 3600")]
        for job_id in blockers:
            slurm.wait_for(job_id, "RUNNING")
        yield blockers
    finally:
        slurm.cancel(*blockers)


def _gpus(text: str) -> Counter[str]:
    """Count the GPUs of each type in Slurm's notation: `gpu:a100:2(IDX:0-1),gpu:h100:0(IDX:N/A)`."""
    counts: Counter[str] = Counter()
    for kind, count in re.findall(r"gpu:(?:([a-z]\w*):)?(\d+)", text):
        counts[kind] += int(count)
    return counts
