"""The parsers against what Slurm 22.05, 24.11 and 26.05 have answered; all were asked the same."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from berth.slurm.answers import records
from berth.slurm.answers.records import Association, Job, Node, Partition, Qos, Reservation
from berth.slurm.errors import SlurmValueError
from tests.unit.slurm import recorded
from tests.unit.slurm.strategies import anything, raises_only_our_error

versions = pytest.mark.parametrize("version", recorded.VERSIONS)
newer = pytest.mark.parametrize("version", recorded.VERSIONS[1:])


def nodes(version: str) -> dict[str, Node]:
    return {node.name: node for node in records.parse_nodes(recorded.document(version, "nodes"))}


def jobs(version: str) -> dict[str, Job]:
    """Jobs by name; of the array's tasks, the last."""
    return {job.name: job for job in records.parse_jobs(recorded.document(version, "squeue"))}


def past(version: str) -> dict[str, Job]:
    return {job.name: job for job in records.parse_sacct(recorded.document(version, "sacct"))}


@versions
def test_nodes_are_read(version: str) -> None:
    found = nodes(version)
    assert set(found) == {"cpu1", "gpu1", "gpu2", "gpu3"}
    gpu1 = found["gpu1"]
    assert (gpu1.cpus, gpu1.memory_mib, gpu1.alloc_cpus) == (4, 4000, 4)
    assert (gpu1.gpus, gpu1.gpus_used) == ({"a100": 2}, {"a100": 2})
    assert gpu1.partitions == ("interactive", "single")
    assert gpu1.address == "ctl"
    assert gpu1.schedulable
    assert found["gpu3"].gpus == {"": 2}
    assert found["gpu3"].gpus_used == {}
    assert found["gpu3"].reason == "fan broken"
    assert {"RESERVED", "MIXED"} <= found["gpu2"].states


@versions
def test_drained_and_maintained_nodes_take_no_job(version: str) -> None:
    found = nodes(version)
    assert {name for name, node in found.items() if node.schedulable} == {"gpu1", "gpu2"}
    assert "DRAIN" in found["gpu3"].states
    assert {"MAINTENANCE", "NOT_RESPONDING"} <= found["cpu1"].states


@newer
def test_the_reservation_of_a_node_is_told_since_slurm_tells_it(version: str) -> None:
    assert nodes(version)["gpu2"].reservation == "course"
    assert nodes(version)["gpu1"].reservation is None
    assert nodes("22.05")["gpu2"].reservation is None


def test_partitions_are_read() -> None:
    assert records.parse_partitions(recorded.document("22.05", "partitions")) == [
        Partition("interactive", ("cpu1", "gpu1", "gpu2", "gpu3"), 480, 30, 5, "UP"),
        Partition("batch", ("cpu1",), None, None, 1, "UP"),
        Partition("single", ("gpu1",), None, None, 1, "DRAIN"),
    ]


def partition(**fields: str) -> Partition:
    """Read a partition as scontrol prints it, with these fields beside what it cannot be without."""
    record = {"PartitionName": "p", "MaxTime": "UNLIMITED", **fields}
    (found,) = records.parse_partitions({"oneline": [record]})
    return found


@pytest.mark.parametrize(
    ("text", "jobs"), [("FORCE:5", 5), ("YES:3", 3), ("FORCE:0", 1), ("NO", 1), ("EXCLUSIVE", 1), ("", 1)]
)
def test_the_jobs_that_share_a_core_are_read(text: str, jobs: int) -> None:
    assert partition(OverSubscribe=text).oversubscribe == jobs


def test_partitions_are_not_read_from_json() -> None:
    with pytest.raises(SlurmValueError, match="no list 'oneline'"):
        records.parse_partitions({"partitions": [{"name": "p"}]})


@versions
def test_reservations_are_read(version: str) -> None:
    found = {
        item.name: item for item in records.parse_reservations(recorded.document(version, "reservations"))
    }
    course = found["course"]
    assert (course.accounts, course.users, course.groups) == (("proj_b",), (), ())
    assert (course.nodes, course.partition) == (("gpu2",), None)
    assert course.end - course.start == 8 * 3600
    assert (found["future"].users, found["future"].partition) == (("bob",), "interactive")
    assert found["denied"].users == ("-bob",)
    assert found["noproj"].accounts == ("-proj_a",)
    assert found["grouped"].groups == ("cluster",)
    assert "MAINT" in found["repair"].flags
    assert course.active(course.start)
    assert not course.active(course.end)
    assert not found["future"].active(course.start)


def test_no_reservations_at_all_is_an_empty_list() -> None:
    assert records.parse_reservations(recorded.document("22.05", "no-reservations")) == []
    assert records.parse_reservations({"reservations": []}) == []


@versions
def test_a_running_job_is_read(version: str) -> None:
    job = jobs(version)["berth-0123456789abcdef0123456789abcdef"]
    assert (job.user, job.account, job.partition) == ("alice", "proj_a", "interactive")
    assert (job.state, job.reason, job.nodes) == ("RUNNING", "", ("gpu1",))
    assert (job.cpus, job.memory_mib, job.gpus) == (2, 800, {"a100": 1})
    assert (job.time_limit, job.restarts, job.exit_code, job.signal) == (30, 0, None, None)
    assert job.submit_time is not None
    assert job.start_time is not None
    assert job.start_time >= job.submit_time
    assert job.end_time == job.start_time + 30 * 60
    assert (job.running, job.pending, job.ended) == (True, False, False)


@versions
def test_memory_per_cpu_becomes_memory_on_the_node(version: str) -> None:
    assert (jobs(version)["percpu"].cpus, jobs(version)["percpu"].memory_mib) == (3, 600)
    assert past(version)["percpu"].memory_mib == 600


@versions
def test_gpus_are_counted_by_type_when_given_and_as_asked_before(version: str) -> None:
    found = jobs(version)
    assert found["reserved"].gpus == {"a100": 2}, "asked for any two, got these"
    assert found["gpus"].gpus == {"a100": 1}, "asked with --gpus"
    assert found["wants_gpus"].gpus == {"": 2}
    assert past(version)["reserved"].gpus == {"a100": 2}
    assert past(version)["wants_gpus"].gpus == {"": 2}


@versions
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("wants_gpus", "Resources"),
        ("wants_memory", "Priority"),
        ("held", "JobHeldUser"),
        ("later", "BeginTime"),
        ("after", "Dependency"),
        ("ahead", "Reservation"),
    ],
)
def test_a_job_that_waits_says_why(version: str, name: str, reason: str) -> None:
    job = jobs(version)[name]
    assert (job.pending, job.running, job.ended) == (True, False, False)
    assert (job.reason, job.nodes, job.exit_code) == (reason, (), None)


@versions
def test_the_expected_start_of_a_job_that_waits_is_told_where_slurm_knows_it(version: str) -> None:
    found = jobs(version)
    assert found["held"].start_time is None
    start = found["wants_gpus"].start_time
    assert start is not None
    assert start > (found["wants_gpus"].submit_time or 0)


@versions
def test_array_tasks_that_wait_stay_folded_and_those_that_run_do_not(version: str) -> None:
    found = records.parse_jobs(recorded.document(version, "squeue"))
    assert [job.state for job in found if job.name == "list"] == ["PENDING"]
    assert [job.state for job in found if job.name == "tasks"] == ["RUNNING", "RUNNING"]
    assert len({job.job_id for job in found}) == len(found)


@versions
def test_a_requeued_job_waits_and_counts_its_restarts(version: str) -> None:
    job = jobs(version)["requeued"]
    assert (job.pending, job.ended, job.restarts) == (True, False, 1)
    again = past(version)["requeued"]
    assert (again.pending, again.running, again.ended) == (True, False, False)


@versions
def test_a_suspended_job_is_alive(version: str) -> None:
    job = jobs(version)["suspended"]
    assert (job.state, job.running, job.ended) == ("SUSPENDED", True, False)


@versions
@pytest.mark.parametrize(
    ("name", "state", "code", "signal"),
    [
        ("done", "COMPLETED", 0, None),
        ("failed", "FAILED", 3, None),
        ("memory", "OUT_OF_MEMORY", None, 125),
        ("signalled", "FAILED", None, 15),
        ("timeout", "TIMEOUT", None, 15),
        ("cancelled", "CANCELLED", None, 15),
    ],
)
def test_an_end_and_its_cause_are_read_from_the_queue(
    version: str,
    name: str,
    state: str,
    code: int | None,
    signal: int | None,
) -> None:
    job = jobs(version)[name]
    assert (job.state, job.exit_code, job.signal) == (state, code, signal)
    assert (job.pending, job.running, job.ended) == (False, False, True)
    assert job.end_time is not None


@versions
@pytest.mark.parametrize(
    ("name", "state", "signal"),
    [
        ("done", "COMPLETED", None),
        ("failed", "FAILED", None),
        ("memory", "OUT_OF_MEMORY", 125),
        ("signalled", "FAILED", 15),
        ("timeout", "TIMEOUT", None),
        ("cancelled", "CANCELLED", None),
    ],
)
def test_an_end_and_its_cause_are_read_from_accounting(
    version: str,
    name: str,
    state: str,
    signal: int | None,
) -> None:
    job = past(version)[name]
    assert (job.state, job.signal, job.ended) == (state, signal, True)
    assert (job.user, job.account, job.nodes) == ("alice", "proj_a", ("gpu1",))
    assert (job.cpus, job.memory_mib) == (1, 300)
    assert job.end_time is not None


@newer
def test_an_exit_code_that_slurm_22_writes_down_wrongly_is_not_known(version: str) -> None:
    assert past(version)["failed"].exit_code == 3
    assert past("22.05")["failed"].exit_code is None
    assert past("22.05")["done"].exit_code == 0


@newer
def test_the_reservation_of_a_past_job_is_told_where_slurm_writes_its_name(version: str) -> None:
    assert past(version)["reserved"].reservation == "course"
    assert past("22.05")["reserved"].reservation is None, "a number without meaning stands there"


@newer
def test_the_peak_of_memory_is_told_where_it_was_seen(version: str) -> None:
    assert past(version)["memory"].peak_memory_mib == pytest.approx(300, abs=2)


@versions
def test_accounting_says_nothing_of_an_end_that_has_not_come(version: str) -> None:
    job = past(version)["berth-0123456789abcdef0123456789abcdef"]
    assert (job.running, job.ended, job.end_time, job.exit_code) == (True, False, None, None)
    assert past(version)["wants_memory"].nodes == (), "Slurm writes 'None assigned'"


@newer
def test_one_job_is_read_like_many(version: str) -> None:
    (job,) = records.parse_jobs(recorded.document(version, "job"))
    assert (job.name, job.state) == ("cancelled", "CANCELLED")


@versions
def test_associations_are_read(version: str) -> None:
    found = records.parse_associations(
        recorded.text(version, "associations.txt"),
        recorded.text(version, "users.txt"),
    )
    assert [item for item in found if item.user != "root"] == [
        Association("alice", "proj_a", None, is_default=True, qos=("normal",), above=("root",)),
        Association(
            "alice",
            "proj_b",
            "interactive",
            is_default=False,
            qos=("normal",),
            above=("root",),
            limits={("job", "wall"): 1440, ("group", "gres/gpu"): 4},
        ),
        Association(
            "bob",
            "proj_b",
            None,
            is_default=True,
            qos=("normal",),
            above=("root",),
            limits={("job", "wall"): 1440, ("group", "gres/gpu"): 4},
        ),
        Association(
            "bob",
            "sub_b",
            None,
            is_default=False,
            qos=("limited", "normal"),
            default_qos="limited",
            above=("proj_b", "root"),
            limits={
                ("job", "wall"): 120,
                ("job", "cpu"): 2,
                ("job", "mem"): 2048,
                ("group", "gres/gpu"): 4,
                ("user", "jobs"): 5,
                ("user", "submit"): 6,
            },
        ),
    ]


@versions
def test_qos_and_their_limits_are_read(version: str) -> None:
    normal, limited, roomy = records.parse_qos(recorded.text(version, "qos.txt"))
    assert normal == Qos("normal")
    assert roomy == Qos("roomy", frozenset({"PartitionTimeLimit"}))
    assert limited.flags == {"DenyOnLimit", "OverPartQOS"}
    assert limited.factor == 2
    assert limited.limits == {
        ("job", "wall"): 240,
        ("job", "cpu"): 4,
        ("job", "gres/gpu"): 2,
        ("job", "mem"): 65536,
        ("node", "cpu"): 3,
        ("user", "cpu"): 32,
        ("user", "gres/gpu"): 3,
        ("user", "mem"): 1500,
        ("user", "jobs"): 2,
        ("user", "submit"): 10,
        ("group", "cpu"): 100,
        ("least", "cpu"): 1,
    }


@pytest.mark.parametrize(
    "spoilt",
    ["limited|||||cpu=x||||||", "limited|||||||||x||", "limited|||||||||||x", "limited||1:x|||||||||"],
)
def test_a_limit_that_is_none_is_refused(spoilt: str) -> None:
    with pytest.raises(SlurmValueError):
        records.parse_qos(spoilt)


def test_accounts_in_a_circle_end() -> None:
    rows = ("|a||||b||||||", "|b||||a||||||", "x|a||||||||||")
    (found,) = records.parse_associations("\n".join(rows), "")
    assert found.accounts == ("a", "b")


@pytest.mark.parametrize(
    ("allow", "deny", "admitted"),
    [
        ("proj_b,proj_c", "", [("proj_b", "root"), ("sub", "proj_c", "root")]),
        ("", "proj_b", [("proj_a", "root"), ("sub", "proj_c", "root")]),
        ("proj_b", "proj_b", [("proj_b", "root")]),
    ],
)
def test_a_partition_may_list_accounts(allow: str, deny: str, admitted: list[tuple[str, ...]]) -> None:
    lineages = [("proj_a", "root"), ("proj_b", "root"), ("sub", "proj_c", "root")]
    found = partition(AllowAccounts=allow, DenyAccounts=deny)
    assert [names for names in lineages if found.admits_accounts(names)] == admitted


def test_what_a_partition_says_of_groups_qos_and_nodes_is_read() -> None:
    line = "AllowGroups=staff AllowQos=normal QoS=berth MaxCPUsPerNode=3 MaxMemPerNode=2000"
    found = partition(**dict(pair.split("=") for pair in line.split()))
    assert (found.qos, found.max_cores_per_node, found.max_memory_per_node) == ("berth", 3, 2000)
    assert (found.admits_groups(["staff"]), found.admits_groups(["users"])) == (True, False)
    assert (found.admits_qos("normal"), found.admits_qos("long")) == (True, False)


def test_an_unfinished_line_of_sacctmgr_is_refused() -> None:
    with pytest.raises(SlurmValueError, match="has not 12 fields"):
        records.parse_associations("alice|proj_a\n", "")


@pytest.mark.parametrize(
    ("states", "state", "alive", "ended"),
    [
        (["RUNNING"], "RUNNING", True, False),
        (["RUNNING", "CONFIGURING"], "CONFIGURING", True, False),
        (["CANCELLED", "COMPLETING"], "COMPLETING", True, False),
        (["COMPLETED", "STAGE_OUT"], "STAGE_OUT", True, False),
        ("COMPLETING", "COMPLETING", True, False),
        (["FAILED", "LAUNCH_FAILED"], "FAILED", False, True),
        (["PENDING", "REQUEUED"], "PENDING", False, False),
        ("REQUEUE_HOLD", "REQUEUE_HOLD", False, False),
        ("node_fail", "NODE_FAIL", False, True),
        ("SOMETHING_NEW", "SOMETHING_NEW", False, False),
    ],
)
def test_only_a_known_end_without_processes_is_an_end(
    states: object,
    state: str,
    *,
    alive: bool,
    ended: bool,
) -> None:
    (job,) = records.parse_jobs({"jobs": [{"job_id": 1, "job_state": states}]})
    assert (job.state, job.running, job.ended) == (state, alive, ended)


@pytest.mark.parametrize(
    ("limit", "minutes"),
    [
        (30, 30),
        (None, None),
        (0xFFFFFFFF, None),
        ({"set": True, "infinite": False, "number": 30}, 30),
        ({"set": False, "infinite": True, "number": 0}, None),
        ({"set": False, "infinite": False, "number": 0}, None),
    ],
)
def test_a_limit_that_is_infinite_or_not_set_is_none(limit: object, minutes: int | None) -> None:
    (job,) = records.parse_jobs({"jobs": [{"job_id": 1, "job_state": "RUNNING", "time_limit": limit}]})
    assert job.time_limit == minutes


def test_gpus_are_found_in_the_request_where_the_site_does_not_account_for_them() -> None:
    asked = {"job_id": 1, "job_state": ["PENDING"], "node_count": 2, "tres_req_str": "cpu=1,mem=1M,node=2"}
    (per_node, per_job) = records.parse_jobs(
        {"jobs": [asked | {"tres_per_node": "gres/gpu:a100:2"}, asked | {"tres_per_job": "gres:gpu:3"}]},
    )
    assert (per_node.gpus, per_job.gpus) == ({"a100": 4}, {"": 3})


def test_all_the_memory_of_a_node_is_read_from_what_was_given() -> None:
    whole = {
        "job_id": 1,
        "job_state": "RUNNING",
        "memory_per_node": 0,
        "tres_alloc_str": "cpu=1,mem=62.5G,node=1",
    }
    (job,) = records.parse_jobs({"jobs": [whole]})
    assert job.memory_mib == 64000


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"jobs": None},
        {"jobs": [1]},
        {"jobs": [{"job_id": 1}]},
        {"jobs": [{"job_state": "RUNNING"}]},
        {"jobs": [{"job_id": "1", "job_state": "RUNNING"}]},
        {"jobs": [{"job_id": 1, "job_state": [1]}]},
        {"jobs": [{"job_id": 1, "job_state": "RUNNING", "nodes": "n[3-1]"}]},
        {"jobs": [{"job_id": 1, "job_state": "RUNNING", "cpus": 1.5}]},
        {"jobs": [{"job_id": 1, "job_state": "RUNNING", "name": 5}]},
    ],
)
def test_an_answer_that_cannot_be_understood_is_refused(answer: object) -> None:
    with pytest.raises(SlurmValueError):
        records.parse_jobs(answer)


@versions
def test_records_can_be_handed_to_another_process(version: str) -> None:
    found = [*nodes(version).values(), *jobs(version).values()]
    assert pickle.loads(pickle.dumps(found)) == found  # noqa: S301 - our own


FIELDS = (
    "job_id",
    "job_state",
    "nodes",
    "name",
    "exit_code",
    "set",
    "number",
    "infinite",
    "cpus",
    "state",
    "steps",
)
PARSERS = (
    records.parse_nodes,
    records.parse_jobs,
    records.parse_sacct,
    records.parse_partitions,
    records.parse_reservations,
)


@given(anything("", *FIELDS), st.sampled_from(["nodes", "jobs", "reservations", "oneline"]))
def test_nothing_but_our_own_error_is_raised(value: object, key: str) -> None:
    for parse in PARSERS:
        raises_only_our_error(parse, value)
        raises_only_our_error(parse, {key: [value]})
    raises_only_our_error(records.parse_associations, str(value), str(value))
    raises_only_our_error(records.parse_qos, str(value))


@given(st.data())
def test_a_real_answer_with_one_field_spoilt_raises_nothing_but_our_own_error(data: st.DataObject) -> None:
    parse, file, key = data.draw(
        st.sampled_from(
            [
                (records.parse_nodes, "nodes", "nodes"),
                (records.parse_jobs, "squeue", "jobs"),
                (records.parse_sacct, "sacct", "jobs"),
                (records.parse_partitions, "partitions", "oneline"),
                (records.parse_reservations, "reservations", "reservations"),
            ],
        ),
    )
    version = "22.05" if key == "oneline" else data.draw(st.sampled_from(recorded.VERSIONS[1:]))
    record: dict[str, Any] = recorded.document(version, file)[key][0]
    field = data.draw(st.sampled_from(sorted(record)))
    spoilt = record | {field: data.draw(anything("", *FIELDS))}
    raises_only_our_error(parse, {key: [spoilt]})


def test_the_records_are_those_of_the_contract() -> None:
    assert {Node, Job, Partition, Reservation, Association} <= {
        getattr(records, name) for name in records.__all__
    }
