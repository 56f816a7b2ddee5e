"""What the hub reads in Slurm's documents is what Slurm prints for people, field by field."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from berth.slurm.answers import client, records
from berth.slurm.notation import hostlist
from tests.lab import described
from tests.lab.answers import Answers, minutes
from tests.lab.slurm import ACCOUNTS
from tests.lab.waiting import TooLateError, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from berth.slurm.answers.records import Job, Node, Reservation
    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm

USER = "bob"
SETTLED_SECONDS = 20.0
UNIX_TIMES = ("env", "SLURM_TIME_FORMAT=%s")
# Values may hold blanks: they end where the next key begins.
FIELD = re.compile(r"(?:^|(?<=\s))([A-Za-z][A-Za-z_/:]*)=(.*?)\s*(?=\s[A-Z][A-Za-z_/:]*=|$)")
MEBIBYTES = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024**2}
Facts = dict[str, Any]


@pytest.fixture(scope="module")
def answers(login: Machine) -> Answers:
    return Answers(login)


@pytest.fixture(scope="module")
def jobs(slurm: Slurm, answers: Answers) -> Iterator[Mapping[str, int]]:
    """Jobs in many states by name, and a node that is drained while one of them runs on it."""
    partition = described.rows()["partitions"][0]["PartitionName"]
    reservations = table(answers, "reservation")
    usable = next(iter(reservations), "")

    def submit(name: str, *options: str, script: str = "sleep 600") -> int:
        common = ("--parsable", "--no-requeue", "--chdir=/tmp", "--output=/dev/null", "--time=10")
        charged = (f"--partition={partition}", f"--account={ACCOUNTS[USER]}")
        own = (f"--job-name={name}", *options, f"--wrap={script}")
        return int(slurm.login.run("sbatch", *common, *charged, *own, user=USER))

    made = {
        "gpu": submit("gpu", "--gres=gpu:1", "--mem=300M"),
        "percpu": submit("percpu", "--cpus-per-task=2", "--mem-per-cpu=150M", "--time=1:00:00"),
        "failed": submit("failed", "--mem=50M", script="exit 3"),
        "held": submit("held", "--hold", "--mem=1G"),
        "later": submit("later", "--begin=now+1hour", "--mem=1500K", "--time=0:30"),
        "cancelled": submit("cancelled", "--hold", "--mem=1"),
    }
    if usable:
        made["reserved"] = submit("reserved", f"--reservation={usable}", "--gres=gpu:1", "--mem=200M")
    drained = ""
    try:
        slurm.login.run("scancel", str(made["cancelled"]))
        slurm.wait_for(made["failed"], "FAILED")
        for name in {"gpu", "percpu", "reserved"} & made.keys():
            slurm.wait_for(made[name], "RUNNING")
        drained = slurm.job(made["percpu"])["NodeList"]
        slurm.login.run("scontrol", "update", f"nodename={drained}", "state=drain", "reason=being tested")
        yield made
    finally:
        slurm.cancel(*made.values())
        if drained:
            slurm.login.run("scontrol", "update", f"nodename={drained}", "state=resume")


def table(answers: Answers, what: str, *words: str) -> dict[str, dict[str, str]]:
    """The records that `scontrol show` prints as text, by their first field."""
    listing = answers.login.run(*UNIX_TIMES, "scontrol", "--all", "-d", "--oneliner", "show", what, *words)
    found = [FIELD.findall(line) for line in listing.splitlines() if "=" in line]
    return {fields[0][1]: dict(reversed(fields)) for fields in found}


def document(answers: Answers, argv: list[str]) -> dict[str, Any]:
    """The answer to one of the hub's own queries, as the hub decodes it."""
    settings = UNIX_TIMES if argv[0] == "scontrol" else ()
    return client.decode(answers.login.run(*settings, *argv))


def agreed(both: Callable[[], tuple[object, object]]) -> None:
    """Slurm's two answers come to say the same: they are asked for one after the other, and things move."""

    def same() -> bool:
        read, printed = both()
        return read == printed

    try:
        until(same, "the same from both", SETTLED_SECONDS)
    except TooLateError:
        read, printed = both()
        assert read == printed


def gpus(text: str) -> dict[str, int]:
    """GPUs by type in `gpu:a100:2(S:0),gpu:1`."""
    found = re.findall(r"\bgpu:(?:([a-zA-Z]\w*):)?(\d+)", re.sub(r"\([^()]*\)", "", text))
    counts: Counter[str] = Counter()
    for kind, number in found:
        counts[kind] += int(number)
    return {kind: number for kind, number in counts.items() if number}


def names(text: str) -> tuple[str, ...]:
    return () if text in {"", "(null)"} else tuple(text.split(","))


def node_read(node: Node) -> Facts:
    return {
        "states": set(node.states),
        "size": (node.cpus, node.memory_mib),
        "allocated": (node.alloc_cpus, node.alloc_memory_mib),
        "gpus": (node.gpus, node.gpus_used),
        "partitions": set(node.partitions),
        "address": node.address,
        "reason": node.reason,
        "reservation": node.reservation,
    }


def node_printed(fields: Mapping[str, str]) -> Facts:
    return {
        "states": set(fields["State"].split("+")),
        "size": (int(fields["CPUTot"]), int(fields["RealMemory"])),
        "allocated": (int(fields["CPUAlloc"]), int(fields["AllocMem"])),
        "gpus": (gpus(fields["Gres"]), gpus(fields.get("GresUsed", ""))),
        "partitions": set(names(fields["Partitions"])),
        "address": fields["NodeAddr"],
        "reason": fields.get("Reason", "").partition(" [")[0],  # then who said so, and when
        "reservation": fields.get("ReservationName") or None,
    }


def test_nodes_are_read_as_they_are_printed(answers: Answers, jobs: Mapping[str, int]) -> None:
    assert jobs

    def both() -> tuple[Facts, Facts]:
        printed = table(answers, "node")
        read = records.parse_nodes(document(answers, answers.commands.nodes()))
        return (
            {node.name: node_read(node) for node in read},
            {name: node_printed(fields) for name, fields in printed.items()},
        )

    agreed(both)
    found = both()[0].values()
    assert any("DRAIN" in node["states"] and node["reason"] == "being tested" for node in found)
    assert any(node["gpus"][1] for node in found)


def memory(fields: Mapping[str, str]) -> int:
    """MiB in the resources that were given or asked; all these jobs are on one node."""
    given = fields.get("AllocTRES") or fields.get("ReqTRES") or fields.get("TRES", "")
    if given == "(null)":
        given = fields["ReqTRES"]
    match = re.search(r"\bmem=([0-9.]+)([KMGT])", given)
    assert match, fields
    return round(float(match[1]) * MEBIBYTES[match[2]])


def moment(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def job_read(job: Job) -> Facts:
    return {
        "name": (job.name, job.user, job.account, job.partition),
        "state": (job.state, job.reason),
        "place": (set(job.nodes), job.reservation),
        # Of a job that ended without a start, Slurm 22.05 tells no CPUs in JSON.
        "size": (0 if job.ended else job.cpus, job.memory_mib, sum(job.gpus.values())),
        "limit": job.time_limit,
        "times": (job.submit_time, job.start_time),
        "end": job.end_time if job.running or job.ended else None,
        "restarts": job.restarts,
        "code": (job.exit_code or 0, job.signal or 0) if job.ended else None,
    }


def job_printed(fields: Mapping[str, str]) -> Facts:
    state, over = fields["JobState"], fields["JobState"] in {"FAILED", "CANCELLED"}
    code, signal = map(int, fields["ExitCode"].split(":"))
    reservation, place = fields.get("Reservation", ""), fields.get("NodeList", "")
    reason = fields["Reason"]
    asked, user = fields.get("TresPerNode", ""), fields["UserId"].partition("(")[0]
    return {
        "name": (fields["JobName"], user, fields["Account"], fields["Partition"]),
        "state": (state, "" if reason == "None" else reason),
        "place": (set(names(place)), reservation if reservation not in {"", "(null)"} else None),
        "size": (0 if over else int(fields["NumCPUs"]), memory(fields), int(asked.rpartition(":")[2] or 0)),
        "limit": int(minutes(fields["TimeLimit"])),
        "times": (moment(fields["SubmitTime"]), moment(fields["StartTime"])),
        "end": moment(fields["EndTime"]) if over or state == "RUNNING" else None,
        "restarts": int(fields["Restarts"]),
        "code": (code, signal) if over else None,
    }


def test_jobs_are_read_as_they_are_printed(answers: Answers, jobs: Mapping[str, int]) -> None:
    partition = described.rows()["partitions"][0]["PartitionName"]

    def both() -> tuple[Facts, Facts]:
        read = records.parse_jobs(document(answers, answers.commands.jobs(partition)))
        printed = {name: table(answers, "job", str(number))[str(number)] for name, number in jobs.items()}
        return (
            {job.name: job_read(job) for job in read if job.job_id in jobs.values()},
            {name: job_printed(fields) for name, fields in printed.items()},
        )

    agreed(both)
    states = {facts["state"][0] for facts in both()[0].values()}
    assert states == {"RUNNING", "FAILED", "PENDING", "CANCELLED"}


def test_past_jobs_are_read_as_they_are_printed(answers: Answers, jobs: Mapping[str, int]) -> None:
    ended = [jobs["failed"], jobs["cancelled"]]
    columns = "JobIDRaw,JobName,User,Account,Partition,State,NodeList,Submit,Start,End,TimelimitRaw"
    (query,) = answers.commands.accounting(ended)

    def both() -> tuple[dict[int, Any], dict[int, Any]]:
        read = {
            job.job_id: (
                *(job.name, job.user, job.account, job.partition, job.state, set(job.nodes)),
                *(job.submit_time, job.start_time, job.end_time, job.time_limit),
            )
            for job in records.parse_sacct(document(answers, query))
        }
        numbers = ",".join(map(str, ended))
        sacct = ("sacct", "--allusers", "-X", "-n", "-P", f"--jobs={numbers}", f"--format={columns}")
        printed: dict[int, Any] = {}
        for row in answers.login.run(*UNIX_TIMES, *sacct).splitlines():
            number, name, user, account, partition, state, place, *times = row.split("|")
            found = set() if place == "None assigned" else set(hostlist.expand(place))
            printed[int(number)] = (
                *(name, user, account, partition, state.partition(" ")[0], found, *map(moment, times)),
            )
        return read, printed

    agreed(both)
    assert both()[0].keys() == set(ended)


def test_partitions_are_read_as_they_are_printed(answers: Answers) -> None:
    for row in described.rows()["partitions"]:
        query = answers.commands.partition(row["PartitionName"])
        (read,) = records.parse_partitions(document(answers, query))
        printed = answers.partition_by_scontrol(row["PartitionName"])
        assert (read.name, set(read.nodes)) == (printed["partitionname"], set(printed["nodes"]))
        assert str("" if read.max_time is None else read.max_time) == printed["maxtime"]
        assert str("" if read.default_time is None else read.default_time) == printed["defaulttime"]
        shared = re.search("[0-9]+", printed["oversubscribe"])
        assert read.oversubscribe == int(shared[0] if shared else 1)
        assert read.state == printed["state"]


def reservation_read(item: Reservation) -> Facts:
    return {
        "who": (item.users, item.accounts, item.groups),
        "where": (item.partition, set(item.nodes)),
        "when": (item.start, item.end),
        "flags": set(item.flags),
    }


def reservation_printed(answers: Answers, fields: Mapping[str, str]) -> Facts:
    partition = fields["PartitionName"]
    return {
        "who": (names(fields["Users"]), names(fields["Accounts"]), names(fields.get("Groups", ""))),
        "where": (None if partition == "(null)" else partition, set(answers.names(fields["Nodes"]))),
        "when": (int(fields["StartTime"]), int(fields["EndTime"])),
        "flags": set(names(fields["Flags"])),
    }


def test_reservations_are_read_as_they_are_printed(answers: Answers) -> None:
    read = records.parse_reservations(document(answers, answers.commands.reservations()))
    printed = table(answers, "reservation")
    assert {item.name: reservation_read(item) for item in read} == {
        name: reservation_printed(answers, fields) for name, fields in printed.items()
    }
