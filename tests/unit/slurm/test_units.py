from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from berth.slurm.errors import SlurmValueError
from berth.slurm.notation import units
from tests.unit.slurm.strategies import anything, raises_only_our_error


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30", 30),
        ("30:00", 30),
        ("90:00", 90),
        ("0:30", 1),
        ("1:01", 2),
        ("08:00:00", 480),
        ("24:90:00", 1530),
        ("2-12", 3600),
        ("2-12:30", 3630),
        ("2-12:30:59", 3631),
        ("2-00:00:00", 2880),
        ("0", 0),
        ("UNLIMITED", None),
        ("unlimited", None),
        ("INFINITE", None),
        ("-1", None),
    ],
)
def test_a_duration_is_read_as_slurm_reads_it(text: str, expected: int | None) -> None:
    assert units.minutes(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "10:30\n",
        "\n10",
        " 10",
        "10 ",
        "1.5",
        "1h",
        "1:2:3:4",
        "1-",
        "-2",
        "+5",
        "1-2-3",
        "٣٠",
        "a",
        "1_0",
    ],
)
def test_what_slurm_would_not_read_as_a_duration_is_refused(text: str) -> None:
    with pytest.raises(SlurmValueError, match="is not a Slurm duration"):
        units.minutes(text)


def test_the_longest_duration_is_the_one_that_slurm_can_count() -> None:
    assert units.minutes("35791393") == units.MAX_MINUTES
    assert units.duration(units.MAX_MINUTES) == "24855-03:13:00"


@pytest.mark.parametrize("text", ["35791394", "24855-03:14:00", "40000000", "2147483580:00:00", "9999999999"])
def test_a_duration_that_overflows_in_slurm_is_refused(text: str) -> None:
    # Slurm 24.11 reads the first two as 2957761-01:03:00.
    with pytest.raises(SlurmValueError, match="longer than Slurm can count"):
        units.minutes(text)


@pytest.mark.parametrize("value", [3600, 60.0, None, True, ["30"], {"30": 1}])
def test_a_time_that_yaml_has_turned_into_something_else_is_refused(value: object) -> None:
    with pytest.raises(SlurmValueError, match="quote the value in YAML"):
        units.minutes(value)  # type: ignore[arg-type] # that is the point


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [(0, "00:00:00"), (90, "01:30:00"), (1439, "23:59:00"), (1440, "1-00:00:00"), (None, "UNLIMITED")],
)
def test_a_duration_is_written_with_hours_and_days(minutes: int | None, expected: str) -> None:
    assert units.duration(minutes) == expected


@given(st.none() | st.integers(0, units.MAX_MINUTES))
def test_minutes_read_back_what_duration_wrote(minutes: int | None) -> None:
    assert units.minutes(units.duration(minutes)) == minutes


@pytest.mark.parametrize("value", [-1, units.MAX_MINUTES + 1, True, 1.5, "30"])
def test_duration_refuses_what_is_no_number_of_minutes(value: object) -> None:
    with pytest.raises(SlurmValueError, match="expected whole minutes"):
        units.duration(value)  # type: ignore[arg-type] # that is the point


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4000", 4000),
        ("4000M", 4000),
        ("4000m", 4000),
        ("64G", 65536),
        ("1T", 1048576),
        ("1024K", 1),
        ("1025K", 2),
        ("1K", 1),
        ("0", 0),
    ],
)
def test_a_memory_size_is_read_as_slurm_reads_it(text: str, expected: int) -> None:
    assert units.mebibytes(text) == expected


@pytest.mark.parametrize(
    "text", ["", "G", "4GB", "4 G", "1P", "+5", "1.5G", "-1", "4G\n", "0x10", "٤G", "9" * 17]
)
def test_what_slurm_would_not_read_as_memory_is_refused(text: str) -> None:
    with pytest.raises(SlurmValueError, match="is not a memory size"):
        units.mebibytes(text)


def test_more_memory_than_slurm_can_count_is_refused() -> None:
    with pytest.raises(SlurmValueError, match="more memory than Slurm can count"):
        units.mebibytes("999999999999999T")


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, "0M"),
        (4000, "4000M"),
        (1024, "1G"),
        (1536, "1536M"),
        (65536, "64G"),
        (1048576, "1T"),
        (2097152, "2T"),
    ],
)
def test_a_memory_size_is_written_in_its_largest_whole_unit(size: int, expected: str) -> None:
    assert units.format_mebibytes(size) == expected


@given(st.integers(0, units.MAX_MEBIBYTES))
def test_mebibytes_read_back_what_was_written(size: int) -> None:
    assert units.mebibytes(units.format_mebibytes(size)) == size


@given(anything(alphabet="0123456789:-KMGTPunlimted \n"))
def test_nothing_but_our_own_error_is_raised(value: object) -> None:
    for function in (units.minutes, units.mebibytes, units.duration, units.format_mebibytes):
        raises_only_our_error(function, value)
