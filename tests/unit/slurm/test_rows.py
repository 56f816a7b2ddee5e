from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from berth.slurm.config import conf, rows
from berth.slurm.errors import SlurmValueError
from berth.slurm.notation import gres, hostlist
from tests.unit.slurm.strategies import anything, raises_only_our_error

A100 = {"type": "a100", "count": 2, "files": "/dev/nvidia[0-1]"}


def node(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "cpus": 4, "memory": "4000M", **more}


def lines(found: list[dict[str, object]]) -> list[str]:
    return [conf.line(row) for row in found]


def test_equal_nodes_are_folded_into_one_row() -> None:
    nodes = [node("gpu1", gpus=[A100]), node("cpu1"), node("gpu2", gpus=[A100])]
    assert lines(rows.nodes(nodes)) == [
        "NodeName=gpu[1-2] CPUs=4 RealMemory=4000 Gres=gpu:a100:2 State=UNKNOWN",
        "NodeName=cpu1 CPUs=4 RealMemory=4000 State=UNKNOWN",
    ]
    assert lines(rows.gres(nodes)) == ["NodeName=gpu[1-2] Name=gpu Type=a100 File=/dev/nvidia[0-1]"]


def test_everything_a_node_can_have_is_written() -> None:
    described = node(
        "big1",
        cpus=128,
        sockets=2,
        cores_per_socket=32,
        threads_per_core=2,
        memory="1T",
        address="10.0.0.7",
        features=["fast", "hbm"],
        gpus=[
            {"type": "a100", "count": 2, "files": "/dev/nvidia[0-1]", "cores": "0-31"},
            {"type": "h100", "count": 1, "files": "/dev/nvidia2", "cores": "32-63"},
            {"type": "a100", "count": 1, "files": "/dev/nvidia3", "cores": "32-63"},
        ],
        options={"MemSpecLimit": 4096, "Weight": 10},
    )
    assert lines(rows.nodes([described])) == [
        (
            "NodeName=big1 NodeAddr=10.0.0.7 CPUs=128 Sockets=2 CoresPerSocket=32 ThreadsPerCore=2"
            " RealMemory=1048576 Gres=gpu:a100:3,gpu:h100:1 Feature=fast,hbm State=UNKNOWN"
            " MemSpecLimit=4096 Weight=10"
        ),
    ]
    assert lines(rows.gres([described])) == [
        "NodeName=big1 Name=gpu Type=a100 File=/dev/nvidia[0-1] Cores=0-31",
        "NodeName=big1 Name=gpu Type=h100 File=/dev/nvidia2 Cores=32-63",
        "NodeName=big1 Name=gpu Type=a100 File=/dev/nvidia3 Cores=32-63",
    ]


def test_gpus_without_a_type_are_counted() -> None:
    described = [node("gpu1", gpus=[{"type": None, "count": 2, "files": "/dev/nvidia[0-1]"}])]
    assert rows.nodes(described)[0]["Gres"] == "gpu:2"
    assert lines(rows.gres(described)) == ["NodeName=gpu1 Name=gpu File=/dev/nvidia[0-1]"]


def test_a_type_of_gpu_may_be_a_number() -> None:
    described = [node("gpu1", gpus=[{"type": "3090", "count": 2}])]
    assert gres.gpu_counts(str(rows.nodes(described)[0]["Gres"])) == {"3090": 2}


def test_nodes_that_differ_in_one_thing_are_not_folded() -> None:
    described = [node("n1"), node("n2", memory="4001M"), node("n3", gpus=[A100]), node("n4", address="x")]
    assert [row["NodeName"] for row in rows.nodes(described)] == ["n1", "n2", "n3", "n4"]


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        ({"name": "gpu1", "cpus": 4}, "node gpu1: memory: is missing"),
        (node("gpu1", memory=4000), "node gpu1: memory: expected text, got 4000; quote the value in YAML"),
        (node("gpu1", memory="4 GB"), "node gpu1: memory: '4 GB' is not a memory size"),
        (node("gpu1", memory="0"), "node gpu1: memory: a node has some memory"),
        (node("gpu1", cpus="4"), "node gpu1: cpus: expected a whole number above zero, got '4'"),
        (node("gpu1", cpus=True), "node gpu1: cpus: expected a whole number"),
        (node("gpu1", cpus=0), "node gpu1: cpus: expected a whole number"),
        (node("gpu1", cpu=4), "node gpu1: unknown key cpu; known: address"),
        (node("gpu[1-2]"), "is not a single name"),
        (node(""), "name: is empty"),
        (node("gpu1", sockets=1, cores_per_socket=3, threads_per_core=1), "4 CPUs do not match"),
        (node("gpu1", gpus=[{"count": 3, "files": "/dev/nvidia[0-1]"}]), "is 2 files for 3 GPUs"),
        (node("gpu1", gpus=[{"count": 1, "files": "nvidia0"}]), "is not an absolute path"),
        (node("gpu1", gpus=[{"count": 1, "files": "/dev/nvidia[0-"}]), "gpus 1: files:"),
        (node("gpu1", gpus=[{"type": "a100"}]), "count: is missing"),
        (node("gpu1", gpus=[{"type": "a:b", "count": 1}]), "'a:b' is not a word"),
        (
            node("gpu1", gpus=[A100, {"count": 1, "files": "/dev/nvidia2"}]),
            "either every group of GPUs has 'type'",
        ),
        (node("gpu1", gpus=[A100, {"type": "h100", "count": 1}]), "either every group of GPUs has 'files'"),
        (node("gpu1", gpus=[A100, A100 | {"type": "h100"}]), "named twice"),
        (node("gpu1", gpus={"count": 1}), "expected a list of descriptions"),
        (node("gpu1", options={"RealMemory": 5}), "RealMemory is set by another key"),
        (node("gpu1", options={"nodename": "x"}), "nodename is set by another key"),
        (node("gpu1", options={5: 5}), "the key 5 is not text"),
        (node("gpu1", features=[1]), "features: expected text, got 1"),
        ("gpu1", "expected a mapping"),
    ],
)
def test_a_wrong_node_is_refused_with_a_sentence_that_names_it(broken: Any, sentence: str) -> None:
    function = rows.gres if "files" in sentence or "twice" in sentence or "path" in sentence else rows.nodes
    with pytest.raises(SlurmValueError) as caught:
        function([node("good"), broken])
    assert sentence in str(caught.value)


def test_two_nodes_of_one_name_are_refused() -> None:
    with pytest.raises(SlurmValueError, match="node n1: name: described twice"):
        rows.nodes([node("n1"), node("n1")])


NODES = [node("gpu1"), node("gpu2"), node("cpu1")]


@pytest.mark.parametrize(
    ("partition", "expected"),
    [
        (
            {
                "name": "p",
                "nodes": ["gpu1", "gpu2"],
                "oversubscribe": "FORCE:5",
                "default": True,
                "max_time": "08:00:00",
            },
            "PartitionName=p Nodes=gpu[1-2] Default=YES OverSubscribe=FORCE:5 MaxTime=08:00:00 State=UP",
        ),
        ({"name": "p", "nodes": "ALL"}, "PartitionName=p Nodes=ALL State=UP"),
        ({"name": "p", "nodes": "gpu[1-2],cpu1"}, "PartitionName=p Nodes=cpu1,gpu[1-2] State=UP"),
        ({"name": "p", "nodes": ["gpu[1-2]", "cpu1"]}, "PartitionName=p Nodes=cpu1,gpu[1-2] State=UP"),
        (
            {"name": "p", "nodes": ["cpu1"], "oversubscribe": "exclusive", "state": "drain"},
            "PartitionName=p Nodes=cpu1 OverSubscribe=EXCLUSIVE State=DRAIN",
        ),
        (
            {"name": "p", "nodes": ["cpu1"], "max_time": "UNLIMITED", "default_time": "30", "default": False},
            "PartitionName=p Nodes=cpu1 MaxTime=UNLIMITED DefaultTime=00:30:00 State=UP",
        ),
        (
            {
                "name": "p",
                "nodes": ["cpu1"],
                "default_memory_per_cpu": "1G",
                "max_memory_per_node": "4000",
                "allow_accounts": ["a", "b"],
                "allow_groups": "users",
                "options": {"PriorityTier": 10, "Hidden": True},
            },
            (
                "PartitionName=p Nodes=cpu1 DefMemPerCPU=1024 MaxMemPerNode=4000"
                " AllowAccounts=a,b AllowGroups=users State=UP PriorityTier=10 Hidden=YES"
            ),
        ),
    ],
)
def test_a_partition_is_written(partition: dict[str, Any], expected: str) -> None:
    assert lines(rows.partitions([partition], NODES)) == [expected]


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        ({"nodes": ["gpu9", "gpu8", "gpu1"]}, "partition p: nodes: no such node: gpu[8-9]"),
        ({"nodes": []}, "partition p: nodes: is empty"),
        ({}, "partition p: nodes: is empty"),
        ({"oversubscribe": "FORCE:0"}, "oversubscribe: 'FORCE:0' is not a value that Slurm knows"),
        ({"oversubscribe": "5"}, "is not a value that Slurm knows"),
        ({"state": "SLEEPY"}, "is not a value that Slurm knows"),
        ({"max_time": 480}, "max_time: expected text, got 480; quote the value in YAML"),
        ({"max_time": "8h"}, "max_time: '8h' is not a Slurm duration"),
        ({"max_time": "60", "default_time": "61"}, "default_time: is longer than max_time"),
        ({"max_time": "60", "default_time": "UNLIMITED"}, "default_time: is longer than max_time"),
        ({"default": "yes"}, "default: expected true or false, got 'yes'"),
        ({"overcommit": 1}, "partition p: unknown key overcommit"),
        ({"max_time": "60", "options": {"maxtime": "5"}}, "options: maxtime is set by another key"),
    ],
)
def test_a_wrong_partition_is_refused_with_a_sentence(broken: dict[str, Any], sentence: str) -> None:
    nodes = {} if sentence.endswith("is empty") else {"nodes": ["gpu1"]}
    with pytest.raises(SlurmValueError) as caught:
        rows.partitions([{"name": "p", **nodes, **broken}], NODES)
    assert sentence in str(caught.value)


def test_only_one_partition_can_be_the_default() -> None:
    two = [{"name": name, "nodes": "ALL", "default": True} for name in ("a", "b")]
    with pytest.raises(SlurmValueError, match="partitions a, b: only one can be the default"):
        rows.partitions(two, NODES)


@given(
    st.lists(st.tuples(st.integers(1, 30), st.sampled_from(["4000M", "8G"])), unique_by=lambda pair: pair[0])
)
def test_every_node_is_in_exactly_one_row_with_its_own_memory(described: list[tuple[int, str]]) -> None:
    nodes = [node(f"n{number}", memory=memory) for number, memory in described]
    found = [
        (name, row["RealMemory"])
        for row in rows.nodes(nodes)
        for name in hostlist.expand(str(row["NodeName"]))
    ]
    wanted = [(f"n{number}", {"4000M": 4000, "8G": 8192}[memory]) for number, memory in described]
    assert sorted(found) == sorted(wanted)


@given(st.lists(st.tuples(st.sampled_from(["a100", "h100"]), st.integers(1, 20)), min_size=1, max_size=4))
def test_the_gpus_that_slurm_conf_names_are_those_described(groups: list[tuple[str, int]]) -> None:
    gpus = [{"type": kind, "count": count} for kind, count in groups]
    text = str(rows.nodes([node("n1", gpus=gpus)])[0]["Gres"])
    kinds = {kind for kind, _ in groups}
    assert gres.gpu_counts(text) == {kind: sum(n for k, n in groups if k == kind) for kind in kinds}


KEYS = (
    "name",
    "cpus",
    "memory",
    "gpus",
    "count",
    "files",
    "nodes",
    "max_time",
    "options",
    "oversubscribe",
    "p",
    "4G",
)


@given(anything("gpu1[]-,:", *KEYS), anything("gpu1", *KEYS))
def test_nothing_but_our_own_error_is_raised(first: object, second: object) -> None:
    raises_only_our_error(rows.nodes, first)
    raises_only_our_error(rows.gres, [{"name": "n1", "cpus": 4, "memory": "4G", "gpus": first}])
    raises_only_our_error(rows.nodes, [{"name": "n1", "cpus": first, "memory": second}])
    raises_only_our_error(rows.partitions, first, second)
    raises_only_our_error(rows.partitions, [{"name": "p", "nodes": first, "max_time": second}], NODES)
