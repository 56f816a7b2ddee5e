"""Hostlists, durations and sizes mean to us what they mean to the Slurm of the lab."""

from __future__ import annotations

import re
from random import Random
from typing import TYPE_CHECKING

import pytest

from berth.slurm.errors import SlurmValueError
from berth.slurm.notation import hostlist, units
from tests.lab import notation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.lab.machines import Machine

SEED = 20261122
MANY = 1200
USER = "alice"
# Slurm sorts numbers by a difference of 32 bits: hostlistsorted loses names that are further apart.
COMPARABLE = 10**6
# What we refuse although Slurm takes it: empty items, ranges without an end, and what is no digit behind the
# first number of a range (Slurm pays no attention to it).
STRICTER_LISTS = re.compile(r"^,|,,|,$|\[[^\]]*(?:[0-9]-[\],]|[^0-9,\]-])")
# A name that goes on behind its last bracket; Slurm knows this since 23.02.5 and refuses it before.
SUFFIX = re.compile(r"\][^,\[\]]+(?:,|$)")
EDGES = {
    "durations": (
        *("UNLIMITED", "unlimited", "Infinite", "-1", "0", "0:00", "0-0", "0:01", "59:59", "0-"),
        *("35791393", "35791394", "24855-03:13:00", "24855-03:14:00", "40000000", "2147483580:00:00"),
        *("4294967293", "99999999999", "1-", "1-2-3", ":5", "5:", "1::2", "-5", "1:2:3:4", "1.5", "+5"),
        *("5s", "1-:5", "1-2:"),
    ),
    "sizes": (
        *("0", "1K", "1023K", "1024K", "1025K", "4000", "1T", "1024T", "8589934592T"),
        *("9007199254740992", "9007199254740993", "8589934593T", "1P", "1.5G", "4GB", "4gb", "5B"),
        *("-1", "+5", "0x10", "G", "1e3"),
    ),
}


def lists(amount: int, largest: int = 10**18) -> list[list[str]]:
    random = Random(SEED)
    return [notation.hosts(random, largest) for _ in range(amount)]


def expanded(login: Machine, texts: list[str]) -> Iterator[tuple[str, list[str]]]:
    """What Slurm makes of hostlists, those left out that are written in a way it does not know yet."""
    first, *answers = notation.scontrol(login, [f"show hostnames {text}" for text in ["n[1-2]-ib", *texts]])
    for text, answer in zip(texts, answers, strict=True):
        if first or answer or not SUFFIX.search(text):
            yield text, answer


def read(function: Callable[[str], object], text: str) -> object:
    """What we make of a text; the error where we refuse it."""
    try:
        return function(text)
    except SlurmValueError as error:
        return error


def balanced(text: str) -> bool:
    """Whether every bracket that closes was opened, and none inside another."""
    return re.fullmatch(r"(?:[^\[\]]|\[[^\[\]]*\])*", text) is not None


def countable(name: str) -> bool:
    """Whether Slurm can hold the number at the end of a name."""
    digits = re.search("[0-9]*$", name)
    return digits is None or int(digits[0] or 0) <= hostlist.MAX_NUMBER


def test_hostlists_are_expanded_as_slurm_does(login: Machine) -> None:
    texts = notation.many(Random(SEED), notation.expression, MANY)
    refused = 0
    for text, answer in expanded(login, texts):
        ours = read(hostlist.expand, text)
        if not isinstance(ours, list):
            refused += 1
            assert not all(map(countable, answer)), f"{text}: {ours}"
            continue
        assert sorted(ours) == sorted(set(answer)), text
        items = re.findall(r"(?:[^,\[]|\[[^\]]*\])+", text)
        if max(item.count("[") for item in items) < 3:  # Slurm varies the second of three brackets last
            assert ours == list(dict.fromkeys(answer)), text
    assert refused < MANY / 4


def test_slurm_reads_from_what_we_fold_the_names_that_were_folded(login: Machine) -> None:
    folded = [names for names in lists(MANY) if all(map(countable, names))]
    assert len(folded) > MANY / 2
    answers = notation.scontrol(login, [f"show hostnames {hostlist.fold(names)}" for names in folded])
    for names, answer in zip(folded, answers, strict=True):
        assert sorted(answer) == sorted(set(names)), names


@pytest.mark.parametrize("command", ["hostlist", "hostlistsorted"])
def test_we_read_from_what_slurm_folds_the_names_that_were_folded(login: Machine, command: str) -> None:
    folded = lists(MANY // 2, COMPARABLE)
    answers = notation.scontrol(login, [f"show {command} {','.join(names)}" for names in folded])
    for names, answer in zip(folded, answers, strict=True):
        (text,) = answer
        assert set(hostlist.expand(text)) == set(names), names


def test_we_refuse_every_hostlist_that_slurm_refuses_and_few_others(login: Machine) -> None:
    texts = notation.many(Random(SEED), notation.spoilt, 2 * MANY)
    texts += ["n[1-65536]", "n[0-65536]", "n[5-3]", "n[1-2]n[3-1]", "n[18446744073709551614]"]
    accepted = 0
    for text, answer in expanded(login, texts):
        ours = read(hostlist.expand, text)
        if isinstance(ours, list):
            accepted += 1
            assert sorted(ours) == sorted(set(answer)), text
        else:
            assert not answer or STRICTER_LISTS.search(text) or not balanced(text), f"{text}: {ours}"
    assert MANY / 4 < accepted < 2 * MANY, "the texts are all right, or all wrong: they test nothing"


def test_durations_mean_what_they_mean_to_slurm(login: Machine) -> None:
    random = Random(SEED)
    texts = notation.many(random, notation.duration, 200) + list(EDGES["durations"])
    texts += notation.many(random, notation.near("01259:--:"), 80)
    for text, slurm in zip(texts, notation.durations(login, USER, texts), strict=True):
        ours = read(units.minutes, text)
        if isinstance(ours, SlurmValueError):
            overflow = slurm.value is not None and slurm.value > units.MAX_MINUTES
            assert slurm.refused or overflow or re.fullmatch("[0-9]+-|-[0-9]+", text), f"{text}: {ours}"
        else:  # sbatch takes 0 for no limit, too; the hub does not offer it
            assert slurm.value == (ours or None), text
            assert slurm.unlimited == (not ours), text


def test_durations_that_we_write_are_read_back_by_slurm(login: Machine) -> None:
    random = Random(SEED)
    wanted = [1, 1439, 1440, units.MAX_MINUTES, *(random.randint(1, units.MAX_MINUTES) for _ in range(40))]
    found = notation.durations(login, USER, [units.duration(minutes) for minutes in wanted])
    assert [understood.value for understood in found] == wanted


def test_sizes_mean_what_they_mean_to_slurm(login: Machine) -> None:
    random = Random(SEED)
    texts = notation.many(random, notation.size, 200) + list(EDGES["sizes"])
    texts += notation.many(random, notation.near("0195KMGTPB.k"), 80)
    for text, slurm in zip(texts, notation.sizes(login, USER, texts), strict=True):
        ours = read(units.mebibytes, text)
        if isinstance(ours, int):
            assert slurm.value == ours, text
        else:
            larger = slurm.value is not None and slurm.value > units.MAX_MEBIBYTES
            stricter = re.fullmatch(r"\+?[0-9]+(?:[KMGT]B?)?", text, re.IGNORECASE)
            assert slurm.refused or larger or stricter, f"{text}: {ours}"


def test_sizes_that_we_write_are_read_back_by_slurm(login: Machine) -> None:
    random = Random(SEED)
    wanted = [random.randint(1, units.MAX_MEBIBYTES) for _ in range(20)] + [1, 1023, 1024, 1536, 1024**2]
    wanted += [random.randint(1, 999) * 1024**power for power in (1, 2) for _ in range(10)]
    found = notation.sizes(login, USER, [units.format_mebibytes(mebibytes) for mebibytes in wanted])
    assert [understood.value for understood in found] == wanted
