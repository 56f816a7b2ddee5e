"""Limits become the words that sacctmgr is told, and only those that change anything."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from berth.slurm.config import limits
from berth.slurm.errors import SlurmValueError
from tests.unit.slurm.strategies import raises_only_our_error

ALL = {
    "gpus_per_user": 2,
    "cores_per_user": 8,
    "memory_per_user": "64G",
    "sessions_per_user": 3,
    "max_time": "1-12:00:00",
}
# As sacctmgr of Slurm 24.11 prints a QOS with ALL of them.
HELD = "cpu=8,gres/gpu=2,mem=64G|3|1-12:00:00|DenyOnLimit"


def test_a_new_qos_is_told_every_limit() -> None:
    assert limits.changes(ALL) == [
        "MaxTRESPerUser=cpu=8,gres/gpu=2,mem=65536M",
        "MaxJobsPerUser=3",
        "MaxWall=1-12:00:00",
        "Flags=DenyOnLimit",
    ]


def test_a_qos_that_holds_the_limits_is_told_nothing() -> None:
    assert limits.changes(ALL, HELD) == []
    assert limits.changes({"memory_per_user": "1500M"}, "mem=1500M|||DenyOnLimit") == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"gpus_per_user": 4}, "MaxTRESPerUser=cpu=8,gres/gpu=4,mem=65536M"),
        ({"memory_per_user": "65G"}, "MaxTRESPerUser=cpu=8,gres/gpu=2,mem=66560M"),
        ({"sessions_per_user": 1}, "MaxJobsPerUser=1"),
        ({"max_time": "08:00:00"}, "MaxWall=08:00:00"),
    ],
)
def test_only_what_changed_is_told(change: dict[str, object], said: str) -> None:
    assert limits.changes(ALL | change, HELD) == [said]


@pytest.mark.parametrize(
    ("removed", "said"),
    [
        ("cores_per_user", "MaxTRESPerUser=cpu=-1,gres/gpu=2,mem=65536M"),
        ("sessions_per_user", "MaxJobsPerUser=-1"),
        ("max_time", "MaxWall=-1"),
    ],
)
def test_a_limit_that_was_taken_out_is_cleared(removed: str, said: str) -> None:
    left = {key: value for key, value in ALL.items() if key != removed}
    assert limits.changes(left, HELD) == [said]


def test_without_limits_every_limit_is_cleared() -> None:
    cleared = ["MaxTRESPerUser=cpu=-1,gres/gpu=-1,mem=-1", "MaxJobsPerUser=-1", "MaxWall=-1"]
    assert limits.changes({}, HELD) == cleared


def test_requests_above_a_limit_are_refused_at_once() -> None:
    assert limits.changes({"gpus_per_user": 2}, "gres/gpu=2|||") == ["Flags=DenyOnLimit"]
    assert limits.changes({"gpus_per_user": 2}, "gres/gpu=2|||DenyOnLimit,NoDecay") == ["Flags=DenyOnLimit"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"gpu_per_user": 2}, "unknown key gpu_per_user; known: cores_per_user, gpus_per_user"),
        ({"gpus_per_user": 0}, "gpus_per_user: expected a whole number above zero, got 0"),
        ({"gpus_per_user": "2"}, "gpus_per_user: expected a whole number above zero, got '2'"),
        ({"sessions_per_user": True}, "sessions_per_user: expected a whole number"),
        ({"memory_per_user": 64}, "memory_per_user: expected text, got 64; quote the value in YAML"),
        ({"memory_per_user": "0"}, "memory_per_user: expected a limit from 1"),
        ({"max_time": 28800}, "max_time: expected text, got 28800; quote the value in YAML"),
        ({"max_time": "8h"}, "max_time: '8h' is not a Slurm duration"),
    ],
)
def test_a_wrong_limit_is_refused_with_its_name(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(SlurmValueError, match="limits: ") as caught:
        limits.changes(wrong)
    assert said in str(caught.value)


@given(st.text(), st.dictionaries(st.sampled_from(sorted(limits.KEYS)), st.integers() | st.text()))
def test_anything_else_raises_our_error_only(row: str, given_limits: dict[str, object]) -> None:
    raises_only_our_error(lambda _: limits.changes(given_limits, row), None)
