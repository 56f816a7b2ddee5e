"""GPUs of every mix, from what an inventory says of a node to the rows that Slurm reads."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from berth.slurm.config import conf, rows
from berth.slurm.errors import SlurmValueError
from berth.slurm.notation import gres, hostlist
from tests.unit.slurm.strategies import anything, raises_only_our_error

SLICES = [
    "/dev/nvidia0,/dev/nvidia-caps/nvidia-cap[21-22]",
    "/dev/nvidia0,/dev/nvidia-caps/nvidia-cap[30-31]",
]


def node(name: str = "n1", **more: Any) -> dict[str, Any]:
    return {"name": name, "cpus": 64, "memory": "500G", **more}


def group(
    kind: str | None = "a100", count: int = 2, files: str | None = "/dev/nvidia[0-1]", **more: Any
) -> Any:
    return {"type": kind, "count": count, "files": files, **more}


def gres_of(*groups: Any, **more: Any) -> Any:
    return rows.nodes([node(gpus=list(groups), **more)])[0].get("Gres")


def lines(*groups: Any, **more: Any) -> list[str]:
    """The rows of gres.conf, without the node's name."""
    found = [conf.line(row) for row in rows.gres([node(gpus=list(groups), **more)])]
    return [line.removeprefix("NodeName=n1 ") for line in found]


def refusal(*groups: Any, **more: Any) -> str:
    with pytest.raises(SlurmValueError) as caught:
        lines(*groups, **more)
    return str(caught.value)


def test_several_types_on_a_node_are_named_each_with_its_number() -> None:
    other = group("h100", 1, "/dev/nvidia2")
    assert gres_of(group(), other) == "gpu:a100:2,gpu:h100:1"
    assert lines(group(), other) == [
        "Name=gpu Type=a100 File=/dev/nvidia[0-1]",
        "Name=gpu Type=h100 File=/dev/nvidia2",
    ]


def test_untyped_gpus_are_counted() -> None:
    assert gres_of(group(None)) == "gpu:2"
    assert lines(group(None)) == ["Name=gpu File=/dev/nvidia[0-1]"]


def test_a_node_without_gpus_has_no_gres() -> None:
    assert gres_of() is None
    assert lines() == []


def test_each_slice_of_mig_has_its_device_files() -> None:
    slices = {"type": "1g.5gb", "count": 2, "multiple_files": SLICES}
    whole = group("a100", 1, "/dev/nvidia1")
    assert gres_of(slices, whole) == "gpu:1g.5gb:2,gpu:a100:1"
    assert lines(slices, whole) == [
        f"Name=gpu Type=1g.5gb MultipleFiles={SLICES[0]}",
        f"Name=gpu Type=1g.5gb MultipleFiles={SLICES[1]}",
        "Name=gpu Type=a100 File=/dev/nvidia1",
    ]


def test_slurmd_can_find_the_gpus_itself() -> None:
    found = [group("a100", 1, None), group("a100_1g.5gb", 7, None)]
    assert gres_of(*found, autodetect="nvml") == "gpu:a100:1,gpu:a100_1g.5gb:7"
    assert lines(*found, autodetect="nvml") == ["AutoDetect=nvml"]


def test_cores_and_links_can_differ_between_the_gpus_of_a_group() -> None:
    assert lines(group(cores=["0-31", "32-63"], links=["-1,4", "4,-1"])) == [
        "Name=gpu Type=a100 File=/dev/nvidia0 Cores=0-31 Links=-1,4",
        "Name=gpu Type=a100 File=/dev/nvidia1 Cores=32-63 Links=4,-1",
    ]
    assert lines(group(cores="0-31,40")) == ["Name=gpu Type=a100 File=/dev/nvidia[0-1] Cores=0-31,40"]


def test_flags_stand_on_every_row_of_the_gpus_and_not_on_those_of_the_shards() -> None:
    given = [group(shards=2), group("h100", 1, "/dev/nvidia2")]
    assert lines(*given, gpu_flags=["amd_gpu_env", "explicit"]) == [
        "Name=gpu Type=a100 File=/dev/nvidia[0-1] Flags=amd_gpu_env,explicit",
        "Name=gpu Type=h100 File=/dev/nvidia2 Flags=amd_gpu_env,explicit",
        "Name=shard Count=4 File=/dev/nvidia[0-1]",
    ]


def test_shards_are_described_for_each_gpu_and_written_after_the_gpus() -> None:
    given = [group(shards=4), group("h100", 1, "/dev/nvidia2", shards=6)]
    assert gres_of(*given) == "gpu:a100:2,gpu:h100:1,shard:14"
    assert lines(*given)[2:] == [
        "Name=shard Count=8 File=/dev/nvidia[0-1]",
        "Name=shard Count=6 File=/dev/nvidia2",
    ]


def test_mps_is_described_in_the_same_way() -> None:
    assert gres_of(group(mps=100)) == "gpu:a100:2,mps:200"
    assert lines(group(mps=100))[1:] == ["Name=mps Count=200 File=/dev/nvidia[0-1]"]


def test_shards_of_gpus_that_slurmd_finds_are_divided_by_slurm() -> None:
    assert lines(group(files=None, shards=4), autodetect="nvml") == ["AutoDetect=nvml", "Name=shard Count=8"]
    slices = {"type": "1g.5gb", "count": 2, "multiple_files": SLICES, "shards": 3}
    assert lines(slices)[2:] == ["Name=shard Count=6"]


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([], []),
        ([node()], []),
        ([node(gpus=[group()])], ["gpu"]),
        ([node(gpus=[group(shards=2)])], ["gpu", "shard"]),
        ([node("n1", gpus=[group(mps=100)]), node("n2", gpus=[group(shards=2)])], ["gpu", "mps", "shard"]),
        ([node(gpus=[group(files=None)], autodetect="nvml")], ["gpu"]),
        ([node(gpus=[group(files=None, shards=2)], autodetect="nvml")], ["gpu", "shard"]),
    ],
)
def test_the_gres_types_follow_from_the_nodes_and_gpu_comes_first(
    nodes: list[dict[str, Any]], expected: list[str]
) -> None:
    assert rows.gres_types(nodes) == expected


def test_equal_nodes_are_folded_and_the_rows_of_a_node_stay_together() -> None:
    """A row that two nodes share must not move before the rows that one of them has above it."""
    both, one = [group(shards=4)], [group(), group("h100", 1, "/dev/nvidia2", shards=4)]
    found = rows.gres(
        [node("n09", gpus=both), node("n3", gpus=one), node("n10", gpus=both), node("n011", gpus=both)]
    )
    assert [row["NodeName"] for row in found] == ["n[011,09-10]"] * 2 + ["n3"] * 3
    assert [row["Name"] for row in found] == ["gpu", "shard", "gpu", "gpu", "shard"]


@pytest.mark.parametrize(
    ("groups", "more", "sentence"),
    [
        ([group(shards=2, mps=100)], {}, "shards or mps, not both: Slurm would give a GPU away twice"),
        ([group(files=None, shards=2)], {}, "files: is missing, and slurmd ignores GPUs without"),
        ([group(shards=0)], {}, "gpus 1: shards: expected a whole number above zero"),
        (
            [group(files=None, shards=2), group("h100", 1, None)],
            {"autodetect": "nvml"},
            "the GPUs of a node can differ in shards only where each group has files",
        ),
        ([group(None), group("h100", 1, "/dev/nvidia2")], {}, "every group of GPUs has 'type', or none has"),
        ([group(), group("h100", 1, None)], {}, "every group of GPUs has 'files', or none has"),
        ([group(), group("A100", 1, "/dev/nvidia2")], {}, "differ in capitals only"),
        ([group("1g 5gb")], {}, "'1g 5gb' is not a word such as a100 or 1g.5gb"),
        ([group()], {"autodetect": "nvml"}, "autodetect: finds files by itself: leave them out"),
        ([group(files=None, cores="0")], {"autodetect": "nvml"}, "finds cores by itself"),
        ([group(files=None)], {"autodetect": "nvml", "gpu_flags": ["explicit"]}, "finds gpu_flags by itself"),
        ([group(files=None)], {"autodetect": "cuda"}, "'cuda' is none of nrt, nvidia, nvml, oneapi, rsmi"),
        ([], {"autodetect": "nvml"}, "there are no gpus to be found"),
        ([group()], {"gpu_flags": ["fast"]}, "'fast' is none of amd_gpu_env,"),
        ([group()], {"gpu_flags": ["no_gpu_env", "amd_gpu_env"]}, "no_gpu_env excludes"),
        ([group(count=3)], {}, "'/dev/nvidia[0-1]' is 2 files for 3 GPUs"),
        ([group(files="/dev/nvidia[0,0]")], {}, "is 1 files for 2 GPUs"),
        ([group(files="/dev/a,/dev/a")], {}, "or named twice"),
        ([group(files="/dev/gpu[0-1]/x")], {}, "is not an absolute path"),
        ([group(files="/dev/a,")], {}, "is not an absolute path"),
        ([group(count=1025, files=None)], {}, "1025 GPUs are more than the 1024"),
        ([group(cores="0-64")], {}, "cores: '0-64' runs backwards, or past the last core, 63"),
        ([group(cores="4-1")], {}, "runs backwards"),
        ([group(cores="all")], {}, "'all' is not a list of core numbers such as 0-15"),
        ([group(cores=["0", "1", "2"])], {}, "cores: 3 entries for 2 GPUs"),
        ([group(cores=0)], {}, "cores: expected a list of texts, got 0"),
        (
            [group(cores="0-32")],
            {"sockets": 2, "cores_per_socket": 16, "threads_per_core": 2},
            "past the last core, 31",
        ),
        ([group(links=["-1,4"])], {}, "links: 1 entries for 2 GPUs"),
        ([group(links=["-1,4", "-1,4"])], {}, "the -1 of their links at the same place"),
        ([group(links=["-1,4", "4,4"])], {}, "'4,4' is not a number for each of the node's 2 GPUs"),
        ([group(links=["-1,4,4", "4,-1,4"])], {}, "is not a number for each of the node's 2 GPUs"),
        ([group(links=["-1,x", "4,-1"])], {}, "is not a number for each"),
        ([group(links=["-1,1024", "4,-1"])], {}, "is not a number for each"),
        ([group(multiple_files=SLICES)], {}, "stands for files where a GPU is cut into slices"),
        ([{"count": 3, "multiple_files": SLICES}], {}, "2 entries for 3 slices"),
        ([{"count": 2, "multiple_files": [SLICES[0]] * 2}], {}, "is named twice"),
        ([{"count": 1, "multiple_files": "/dev/nvidia0"}], {}, "a slice has that of its GPU and others"),
        (
            [{"count": 2, "multiple_files": SLICES}, {"count": 1, "files": "/dev/nvidia0"}],
            {},
            "/dev/nvidia0 is a whole GPU in files and a sliced one in multiple_files",
        ),
    ],
)
def test_what_slurm_would_end_with_or_get_wrong_is_refused(
    groups: list[Any], more: dict[str, Any], sentence: str
) -> None:
    text = refusal(*groups, **more)
    assert sentence in text
    assert text.startswith("node n1: ")


def test_gpus_without_device_files_are_refused_because_slurmd_ignores_them() -> None:
    """Of slurmd -G: "Ignoring file-less GPU gpu:a100 from final GRES list"; then the node is drained."""
    assert "node n1: gpus 1: files: is missing, and slurmd ignores GPUs without" in refusal(group(files=None))
    assert gres_of(group(files=None)) == "gpu:a100:2"  # whoever writes no gres.conf need not know them


# Bugs that were found in other projects' helpers (see the list of types of StackHPC, the counters of MOSS).


def test_a_shard_beside_autodetected_gpus_is_among_the_types() -> None:
    assert rows.gres_types([node(gpus=[group(files=None, shards=8)], autodetect="nvml")]) == ["gpu", "shard"]


def test_untyped_gpus_and_shards_are_told_apart() -> None:
    assert gres.gpu_counts("gpu:2,shard:8") == {"": 2}
    assert [(item.name, item.count) for item in gres.parse("gpu:2,shard:8")] == [("gpu", 2), ("shard", 8)]


def test_every_type_of_a_list_is_counted() -> None:
    assert gres.gpu_counts("gpu:a100:1,gpu:h100:4") == {"a100": 1, "h100": 4}


def test_sixteen_is_more_than_eight() -> None:
    assert max(gres.gpu_counts("gpu:h200:8,gpu:h100:16").values()) == 16


@pytest.mark.parametrize(
    ("names", "folded"),
    [
        (["gpu01", "gpu02", "gpu1", "gpu003"], "gpu[1,003,01-02]"),
        (["n09", "n10", "n011"], "n[011,09-10]"),
        (["node1", "node2", "node2"], "node[1-2]"),
    ],
)
def test_widths_are_never_mixed_in_a_range_and_names_never_repeated(names: list[str], folded: str) -> None:
    assert hostlist.fold(names) == folded
    assert set(hostlist.expand(folded)) == set(names)


kinds = st.sampled_from(["a100", "h100", "1g.5gb", "3090"])
numbers = st.integers(1, 8)
mixes = st.lists(st.tuples(kinds, numbers, st.none() | numbers), min_size=1, max_size=4)


@given(mixes, st.sampled_from(["shards", "mps"]))
def test_gres_conf_names_as_many_devices_and_shards_as_slurm_conf(
    mix: list[tuple[str, int, int | None]], key: str
) -> None:
    groups = [
        group(kind, count, f"/dev/g{number}x[1-{count}]", **({key: shares} if shares else {}))
        for number, (kind, count, shares) in enumerate(mix)
    ]
    described = node(gpus=groups)
    told = {(item.name, item.type): item.count for item in gres.parse(gres_of(*groups))}
    counted: dict[tuple[object, object], int] = {}
    for row in rows.gres([described]):
        files = len(hostlist.expand(str(row["File"]).removeprefix("/dev/")))
        place = (row["Name"], row.get("Type"))
        counted[place] = counted.get(place, 0) + int(str(row.get("Count", files)))
    assert counted == told
    assert rows.gres_types([described]) == sorted(
        {name for name, _ in told}, key=lambda name: (name != "gpu", name)
    )
    assert rows.gres([described]) == rows.gres([described])


WORDS = (
    "count",
    "files",
    "cores",
    "links",
    "multiple_files",
    "shards",
    "mps",
    "type",
    "/dev/nvidia[0-1]",
    "-1,0",
)


@given(anything("/dev[]0-,1", *WORDS), anything("/dev[]0-,1", *WORDS))
def test_nothing_but_our_own_error_is_raised(first: object, second: object) -> None:
    for key in ("files", "multiple_files", "cores", "links", "shards", "type"):
        described = [node(gpus=[{"count": 2, "files": "/dev/nvidia[0-1]", key: first}], gpu_flags=second)]
        raises_only_our_error(rows.gres, described)
        raises_only_our_error(rows.gres_types, described)
    raises_only_our_error(rows.nodes, [node(gpus=[{"count": 1}], autodetect=first)])
