from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from berth.slurm.config import conf
from berth.slurm.errors import SlurmValueError
from tests.unit.slurm.strategies import anything, raises_only_our_error


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        (
            {"PartitionName": "p", "Nodes": "gpu[1-2]", "Default": True},
            "PartitionName=p Nodes=gpu[1-2] Default=YES",
        ),
        ({"B": 1, "A": False, "C": None}, "B=1 A=NO"),
        ({"Feature": ["fast", "big"]}, "Feature=fast,big"),
        ({"TRESBillingWeights": "CPU=1.0,Mem=0.25G"}, 'TRESBillingWeights="CPU=1.0,Mem=0.25G"'),
        ({"Reason": "fan broken"}, 'Reason="fan broken"'),
        ({}, ""),
    ],
)
def test_a_mapping_becomes_one_line_in_its_order(mapping: dict[str, Any], expected: str) -> None:
    assert conf.line(mapping) == expected


@pytest.mark.parametrize(
    "mapping",
    [
        {"Reason": "a\nPartitionName=evil"},
        {"Reason": 'a" b'},
        {"Reason": "a # b"},
        {"Reason": "a\\"},
        {"Reason": ""},
        {"Features": []},
        {"a b": 1},
        {"A=B": 1},
        {"": 1},
        {1: 1},
        {"Weight": 1.5},
        {"Weight": {"a": 1}},
        {"Weight": b"1"},
    ],
)
def test_what_slurm_could_not_read_back_is_refused(mapping: dict[str, Any]) -> None:
    with pytest.raises(SlurmValueError):
        conf.line(mapping)


@given(anything('aA1=,# \n"', "NodeName", "gpu1", "#", " "))
def test_nothing_but_our_own_error_is_raised(value: object) -> None:
    raises_only_our_error(conf.line, value)


@given(st.dictionaries(st.sampled_from(["Nodes", "Reason"]), st.text() | st.lists(st.text(), max_size=2)))
def test_a_line_is_one_line(mapping: dict[str, object]) -> None:
    try:
        text = conf.line(mapping)
    except SlurmValueError:
        return
    assert len(text.splitlines()) <= 1
