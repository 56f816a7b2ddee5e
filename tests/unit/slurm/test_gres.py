from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from berth.slurm.errors import SlurmValueError
from berth.slurm.notation import gres, tres
from berth.slurm.notation.gres import Gres
from tests.unit.slurm.strategies import anything, raises_only_our_error


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gpu:a100:2(S:0-1)", [Gres("gpu", "a100", 2)]),
        ("gpu:2(IDX:0-1)", [Gres("gpu", None, 2, (0, 1))]),
        ("gpu:a100:1(IDX:0)", [Gres("gpu", "a100", 1, (0,))]),
        ("gpu:a100:3(IDX:0-1,3)", [Gres("gpu", "a100", 3, (0, 1, 3))]),
        ("gpu:a100:2(IDX:2,5)(S:0-1)", [Gres("gpu", "a100", 2, (2, 5))]),
        ("gpu:(null):0(IDX:N/A)", [Gres("gpu", None, 0)]),
        ("gpu:a100:0(IDX:N/A)", [Gres("gpu", "a100", 0)]),
        ("gpu:2", [Gres("gpu", None, 2)]),
        ("shard:8", [Gres("shard", None, 8)]),
        ("gpu", [Gres("gpu", None, 1)]),
        ("gpu:a100", [Gres("gpu", "a100", 1)]),
        ("gpu:3090:2", [Gres("gpu", "3090", 2)]),
        ("gpu:1g.10gb:7", [Gres("gpu", "1g.10gb", 7)]),
        ("gres:gpu:1", [Gres("gpu", None, 1)]),
        ("gres/gpu:a100:1", [Gres("gpu", "a100", 1)]),
        ("gpu:a100:1,gpu:h100:4", [Gres("gpu", "a100", 1), Gres("gpu", "h100", 4)]),
        ("gpu:a100:1(S:0,1),nic:2", [Gres("gpu", "a100", 1), Gres("nic", None, 2)]),
        ("gpu:1g.5gb:1(IDX:1),gpu:a100:0(IDX:)", [Gres("gpu", "1g.5gb", 1, (1,)), Gres("gpu", "a100", 0)]),
        ("shard:a100:5(3/4,2/4)", [Gres("shard", "a100", 5, busy=2)]),
        ("shard:(null):3(3/4,0/4)", [Gres("shard", None, 3, busy=1)]),
        ("shard:8(-/5,5/5,3/5,0/5)", [Gres("shard", None, 8, busy=2)]),
        ("mps:a100:50(50/100,0/100)", [Gres("mps", "a100", 50, busy=1)]),
        ("shard(CNT:2)", [Gres("shard", None, 2)]),
        ("gpu:a100(CNT:2)", [Gres("gpu", "a100", 2)]),
        ("bandwidth:lustre:no_consume:4K", [Gres("bandwidth", "lustre", 4096)]),
        ("(null)", []),
        ("N/A", []),
        ("", []),
    ],
)
def test_every_form_in_which_slurm_names_resources_is_read(text: str, expected: list[Gres]) -> None:
    assert list(gres.parse(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "shard:1(1/)",
        "shard:1(/2)",
        "shard:1()",
        "gpu:",
        ":2",
        "gpu:a100:2:3:4",
        "gpu:a100:2(",
        "gpu,,gpu",
        "gpu,",
        "gpu 2",
        "gpu:-1",
    ],
)
def test_what_is_no_list_of_resources_is_refused(text: str) -> None:
    with pytest.raises(SlurmValueError):
        gres.parse(text)


def test_gpus_are_counted_by_type_and_other_resources_left_out() -> None:
    assert gres.gpu_counts("gpu:a100:1,gpu:h100:4,gpu:a100:1,shard:8,gpu:3") == {"a100": 2, "h100": 4, "": 3}
    assert gres.gpu_counts("gpu:a100:0(IDX:N/A)") == {}


def test_gpus_of_which_only_a_part_is_taken_are_counted_by_type() -> None:
    assert gres.gpus_shared("gpu:a100:0(IDX:N/A),shard:a100:5(3/4,2/4),shard:h100:1(1/6)") == {
        "a100": 2,
        "h100": 1,
    }
    assert gres.gpus_shared("gpu:(null):1(IDX:1),shard:(null):3(3/4,0/4)") == {"": 1}
    assert gres.gpus_shared("mps:a100:0(0/100,0/100)") == {}
    assert gres.gpus_shared("shard:a100:2(IDX:0-1),shard:h100:0(IDX:N/A)") == {"a100": 2}  # Slurm 22.05
    assert gres.gpu_counts("shard:a100:5(3/4,2/4)") == {}


def test_shards_that_slurm_does_not_place_may_each_be_of_another_gpu() -> None:
    assert gres.gpus_shared("shard:2") == {"": 2}


def test_counts_are_compared_as_numbers() -> None:
    assert max(gres.gpu_counts("gpu:h200:8,gpu:h100:16").values()) == 16


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["gpu", "shard", "mps"]),
            st.none() | st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True),
            st.integers(0, 99),
        ),
    ),
)
def test_what_is_written_is_read_back(resources: list[tuple[str, str | None, int]]) -> None:
    text = ",".join(f"{name}:{kind}:{n}" if kind else f"{name}:{n}" for name, kind, n in resources)
    assert [(item.name, item.type, item.count) for item in gres.parse(text)] == resources


@pytest.mark.parametrize(
    ("text", "memory", "gpus"),
    [
        ("cpu=1,mem=300M,node=1,billing=1", 300, {}),
        ("cpu=1,mem=1G,node=1,gres/gpu=2,gres/gpu:a100=2", 1024, {"a100": 2}),
        ("mem=62.50G,gres/gpu=3,gres/gpu:a100=2", 64000, {"a100": 2, "": 1}),
        ("mem=1.5M,gres/gpu:h100=0", 2, {}),
        ("gres/gpu=2", 0, {"": 2}),
        ("gres/gpu:a100:2", 0, {"a100": 2}),
        ("", 0, {}),
        ("nonsense", 0, {}),
    ],
)
def test_memory_and_gpus_are_found_in_a_tres_list(text: str, memory: int, gpus: dict[str, int]) -> None:
    assert (tres.memory(text), tres.gpus(text)) == (memory, gpus)


@given(
    anything("gpua10:=,()/SIDX-KM ", "gpu", ":", "a100", "2", "(IDX:", "0-1", ")", ",", "gres/", "=", "mem=")
)
def test_nothing_but_our_own_error_is_raised(value: object) -> None:
    for function in (gres.parse, gres.gpu_counts, gres.gpus_shared, tres.memory, tres.gpus):
        raises_only_our_error(function, value)
