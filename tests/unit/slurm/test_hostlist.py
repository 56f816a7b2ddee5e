from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from berth.slurm.errors import SlurmValueError
from berth.slurm.notation import hostlist
from tests.unit.slurm.strategies import anything, raises_only_our_error

DATA = Path(__file__).resolve().parents[1] / "data"

names = st.from_regex(r"[a-c]{1,2}(0{0,2}[0-9]{1,2})?(-ib|[.]x)?", fullmatch=True)


def recorded(file: str) -> dict[str, list[str]]:
    """What Slurm's own hostlist functions answered to each question, the oldest version first."""
    answers: dict[str, list[str]] = {}
    for version in sorted(DATA.glob("slurm-*")):
        for line in (version / file).read_text(encoding="utf-8").splitlines():
            question, answer = line.split("\t")
            answers.setdefault(question, []).append(answer)
    assert answers, "the recorded answers are missing"
    return answers


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (["gpu01", "gpu02", "gpu1", "gpu003"], "gpu[1,003,01-02]"),
        (["n09", "n10", "n011"], "n[011,09-10]"),
        (["node1", "node2", "node2"], "node[1-2]"),
        (["n1", "n2", "n10"], "n[1-2,10]"),
        (["n8", "n9", "n10", "n11"], "n[8-11]"),
        (["n08", "n09", "n10", "n11"], "n[08-11]"),
        (["gpu3", "login", "gpu1"], "gpu[1,3],login"),
        (["gpu1"], "gpu1"),
        (["gpu", "gpu1"], "gpu,gpu1"),
        (["n1-ib", "n2-ib"], "n1-ib,n2-ib"),
        (["7", "8"], "[7-8]"),
        ([], ""),
    ],
)
def test_names_are_folded_without_mixing_widths(hosts: list[str], expected: str) -> None:
    assert hostlist.fold(hosts) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gpu[01-03]", ["gpu01", "gpu02", "gpu03"]),
        ("gpu[08-11,2]", ["gpu08", "gpu09", "gpu10", "gpu11", "gpu2"]),
        ("r[1-2]n[01-02]", ["r1n01", "r1n02", "r2n01", "r2n02"]),
        ("n[1-2]-ib,x", ["n1-ib", "n2-ib", "x"]),
        ("b,a,b", ["b", "a"]),
        ("n[1-2,2]", ["n1", "n2"]),
        ("", []),
    ],
)
def test_an_expression_is_expanded_in_its_own_order(text: str, expected: list[str]) -> None:
    assert hostlist.expand(text) == expected


def test_expressions_are_expanded_as_the_newest_slurm_does() -> None:
    for question, answers in recorded("hostnames.txt").items():
        if "nvalid" in answers[-1]:
            with pytest.raises(SlurmValueError):
                hostlist.expand(question)
        else:
            assert hostlist.expand(question) == list(dict.fromkeys(answers[-1].split())), question


def test_names_are_folded_into_what_slurm_would_expand_to_the_same() -> None:
    for question, answers in recorded("hostlists.txt").items():
        ours = hostlist.expand(hostlist.fold(question.split(",")))
        for answer in answers:
            assert sorted(ours) == sorted(hostlist.expand(answer)), question


@given(st.lists(names))
def test_expand_reads_back_every_name_that_fold_wrote(hosts: list[str]) -> None:
    assert sorted(hostlist.expand(hostlist.fold(hosts))) == sorted(set(hosts))


@given(st.lists(names))
def test_folding_does_not_depend_on_order_or_repetition(hosts: list[str]) -> None:
    assert hostlist.fold(hosts) == hostlist.fold([*reversed(hosts), *hosts])


@pytest.mark.parametrize(
    "text",
    [
        "n[1-2",
        "n1-2]",
        "n[]",
        "n[a]",
        "n[3-1]",
        "n[1--2]",
        "n[-1]",
        ",",
        "a,",
        ",a",
        "a,,b",
        "a b",
        "n[[1]]",
        "é",
    ],
)
def test_a_malformed_expression_is_refused(text: str) -> None:
    with pytest.raises(SlurmValueError):
        hostlist.expand(text)


@pytest.mark.parametrize(
    "text", ["n[0-65536]", "n[1-999999999999]", "r[1-300]n[1-300]", "a[1-40000],b[1-40000]"]
)
def test_an_expression_for_more_names_than_slurm_takes_is_refused(text: str) -> None:
    with pytest.raises(SlurmValueError, match="more than 65536 names"):
        hostlist.expand(text)


@pytest.mark.parametrize("name", ["n18446744073709551615", "91000000000000000000", f"a-{10**30}"])
def test_a_number_that_slurm_would_change_is_refused(name: str) -> None:
    # Slurm writes every larger number as 18446744073709551615.
    for read in (lambda: hostlist.fold(["n1", name]), lambda: hostlist.expand(f"n1,{name}")):
        with pytest.raises(SlurmValueError, match="larger than 18446744073709551614"):
            read()


def test_a_long_number_that_slurm_can_hold_is_kept() -> None:
    names = ["n18446744073709551613", "n18446744073709551614", f"n{10**25}-ib", f"n{'0' * 30}7"]
    assert sorted(hostlist.expand(hostlist.fold(names))) == sorted(names)
    with pytest.raises(SlurmValueError, match="larger than"):
        hostlist.expand("n[18446744073709551614-18446744073709551615]")


def test_as_many_names_as_slurm_takes_are_expanded() -> None:
    assert len(hostlist.expand("n[1-65536]")) == 65536


@pytest.mark.parametrize("hosts", ["gpu1", [""], ["a b"], ["a,b"], ["n[1-2]"], ["a\n"], [1], [None]])
def test_what_is_no_host_name_is_not_folded(hosts: object) -> None:
    with pytest.raises(SlurmValueError):
        hostlist.fold(hosts)  # type: ignore[arg-type] # that is the point


@given(anything("abn019[]-,. ", "n", "[", "]", "1", "09", "-", ","))
def test_nothing_but_our_own_error_is_raised(value: object) -> None:
    for function in (hostlist.fold, hostlist.expand):
        raises_only_our_error(function, value)
