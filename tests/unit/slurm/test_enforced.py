"""The limits that hold for a job: partition QOS, job QOS, association; and the partition's time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from berth.slurm.answers import qos, records
from berth.slurm.answers.records import Association, Job, Partition, Qos
from berth.slurm.free.enforced import Enforced, Use, enforced, job_qos, used
from tests.unit.slurm import recorded

PARTITION = Partition("interactive", ("n1",), 480, 60, 5, "UP", qos="berth")
OWN = Association(
    "alice",
    "proj",
    None,
    is_default=True,
    qos=("normal",),
    limits={
        (qos.JOB, qos.WALL): 100,
        (qos.JOB, qos.CPU): 6,
        (qos.NODE, qos.CPU): 5,
        (qos.GROUP, qos.GPU): 4,
        (qos.USER, qos.JOBS): 3,
    },
)


def held(*known: Qos, association: Association | None = OWN, partition: Partition = PARTITION) -> Enforced:
    return enforced(association, partition, {item.name: item for item in known}, limits=True)


def test_the_first_that_limits_something_decides() -> None:
    theirs = Qos("berth", limits={(qos.JOB, qos.WALL): 200, (qos.USER, qos.CPU): 8})
    own = Qos("normal", limits={(qos.JOB, qos.WALL): 50, (qos.USER, qos.CPU): 2, (qos.USER, qos.GPU): 1})
    found = held(theirs, own)
    assert found.minutes == 200
    assert found.limits[(qos.USER, qos.CPU)] == 8
    assert found.most(qos.GPU) == 1
    assert found.most(qos.CPU) == 5
    assert found.most(qos.MEMORY) is None


def test_a_qos_of_the_job_may_go_before_that_of_the_partition() -> None:
    theirs = Qos("berth", limits={(qos.JOB, qos.WALL): 200})
    own = Qos("normal", frozenset({"OverPartQOS"}), limits={(qos.JOB, qos.WALL): 50})
    assert held(theirs, own).minutes == 50


def test_no_limit_of_others_goes_beyond_the_time_of_the_partition_unless_a_qos_says_so() -> None:
    longer = {(qos.JOB, qos.WALL): 6000}
    assert held(Qos("normal", limits=longer)).minutes == 480
    assert held(Qos("normal", frozenset({"PartitionTimeLimit"}), longer)).minutes == 6000
    assert held(association=replace(OWN, limits={})).minutes == 480


def test_the_factor_of_a_qos_raises_the_resources_of_an_association() -> None:
    found = held(Qos("normal", factor=2.0))
    assert (found.most(qos.CPU), found.most(qos.GPU), found.minutes) == (5, 8, 100)
    assert found.limits[(qos.JOB, qos.CPU)] == 12
    assert found.limits[(qos.USER, qos.JOBS)] == 3


def test_jobs_are_counted_where_their_number_is_limited() -> None:
    assert held().by_account == {qos.JOBS}
    assert held(Qos("normal", limits={(qos.USER, qos.JOBS): 2})).by_account == frozenset()


def test_where_slurm_enforces_no_limits_only_the_partition_counts() -> None:
    known = {"normal": Qos("normal", limits={(qos.USER, qos.GPU): 1})}
    assert enforced(OWN, PARTITION, known, limits=False) == Enforced(minutes=480)


@pytest.mark.parametrize(
    ("default", "names", "expected"),
    [
        ("long", ("normal", "long"), "long"),
        ("", ("only",), "only"),
        ("", ("a", "b"), "normal"),
        ("", (), "normal"),
    ],
)
def test_a_job_gets_the_default_qos_of_its_association(
    default: str, names: tuple[str, ...], expected: str
) -> None:
    assert job_qos(replace(OWN, default_qos=default, qos=names)) == expected
    assert job_qos(None) == "normal"


@pytest.mark.parametrize("version", recorded.VERSIONS)
def test_what_a_real_slurm_told_of_a_sub_account(version: str) -> None:
    known = {item.name: item for item in records.parse_qos(recorded.text(version, "qos.txt"))}
    rows = records.parse_associations(recorded.text(version, "associations.txt"), "")
    own = next(item for item in rows if (item.user, item.account) == ("bob", "sub_b"))
    (partition, *_) = records.parse_partitions(recorded.document("22.05", "partitions"))
    found = enforced(own, partition, known, limits=True)
    assert (found.minutes, found.most(qos.CPU), found.most(qos.GPU), found.least(qos.CPU)) == (240, 3, 2, 1)
    assert found.most(qos.MEMORY) == 1500


def test_types_of_gpus_may_be_limited_by_themselves() -> None:
    found = held(Qos("normal", limits={(qos.USER, qos.GPU): 3, (qos.JOB, f"{qos.GPU}:a100"): 1}))
    assert found.gpu_types() == {"", "a100"}
    assert (found.most(qos.GPU), found.most(f"{qos.GPU}:a100")) == (3, 1)


def test_what_is_in_use_is_counted_from_the_jobs_that_run() -> None:
    job = Job(
        1,
        "n",
        "alice",
        "proj",
        "interactive",
        "RUNNING",
        nodes=("n1",),
        cpus=2,
        memory_mib=500,
        gpus={"a100": 1},
    )
    jobs = [job, replace(job, job_id=2, gpus={"h100": 2}), replace(job, job_id=3, state="PENDING")]
    found = {what: used(jobs, what) for what in (qos.CPU, qos.MEMORY, qos.GPU, f"{qos.GPU}:h100", qos.JOBS)}
    assert list(found.values()) == [4, 1000, 3, 2, 2]
    assert used(jobs, qos.SUBMIT) == 3
    limited = Enforced(limits={(qos.USER, qos.CPU): 6, (qos.USER, qos.GPU): 2})
    assert limited.use(jobs, qos.CPU) == Use(used=4, most=6)
    assert limited.use(jobs, qos.MEMORY) is None


def test_running_jobs_above_a_limit_that_was_lowered_leave_nothing() -> None:
    assert [Use(4, 6).left, Use(3, 2).left] == [2, 0]
