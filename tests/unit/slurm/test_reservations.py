"""Who may use a reservation: the rules of the manual page scontrol(1)."""

from __future__ import annotations

import pytest

from berth.slurm.answers.records import Reservation


def reservation(users: str = "", accounts: str = "", groups: str = "") -> Reservation:
    def names(text: str) -> tuple[str, ...]:
        return tuple(name for name in text.split(",") if name)

    return Reservation("r", names(users), names(accounts), names(groups), None, ("n1",), start=100, end=200)


CASES = [
    ({"users": "alice,bob"}, True),
    ({"users": "bob"}, False),
    ({"users": "-bob,-carol"}, True),
    ({"users": "-alice"}, False),
    ({"accounts": "proj_b,proj_c"}, True),
    ({"accounts": "proj_c"}, False),
    ({"accounts": "-proj_b"}, False),
    ({"accounts": "-proj_c"}, True),
    ({"users": "alice", "accounts": "proj_b"}, True),
    ({"users": "alice", "accounts": "proj_c"}, False),
    ({"users": "bob", "accounts": "proj_b"}, False),
    ({"users": "-alice", "accounts": "proj_b"}, False),
    ({"users": "-bob", "accounts": "-proj_c"}, True),
    ({"groups": "cluster,staff"}, True),
    ({"groups": "staff"}, False),
    ({"groups": "cluster", "accounts": "proj_c"}, False),
    ({"groups": "cluster", "accounts": "proj_b"}, True),
    ({}, True),
]


def admitted(held: Reservation, user: str, accounts: tuple[str, ...], groups: tuple[str, ...]) -> bool:
    return held.admits(user, groups) and held.admits_account(accounts)


@pytest.mark.parametrize(("rules", "allowed"), CASES)
def test_users_groups_and_accounts_must_all_agree(rules: dict[str, str], *, allowed: bool) -> None:
    assert admitted(reservation(**rules), "alice", ("proj_b", "root"), ("users", "cluster")) is allowed


@pytest.mark.parametrize(("rules", "allowed"), CASES)
def test_what_is_said_of_an_account_holds_for_those_below_it(rules: dict[str, str], *, allowed: bool) -> None:
    assert admitted(reservation(**rules), "alice", ("sub", "proj_b", "root"), ("cluster",)) is allowed


@pytest.mark.parametrize(
    ("rules", "allowed"),
    [
        ({"accounts": "proj_a"}, False),
        ({"accounts": "-proj_a"}, True),
        ({"users": "carol"}, True),
        ({}, True),
    ],
)
def test_a_user_without_any_account(rules: dict[str, str], *, allowed: bool) -> None:
    assert admitted(reservation(**rules), "carol", (), ()) is allowed


@pytest.mark.parametrize(
    ("flags", "at_90", "at_150"), [((), 20, 15), (("DAILY",), 20, 20), (("FLEX",), None, None)]
)
def test_a_reservation_bounds_the_time_of_its_jobs(
    flags: tuple[str, ...], at_90: int | None, at_150: int | None
) -> None:
    held = Reservation("r", (), (), (), None, ("n1",), start=6000, end=7200, flags=flags)
    assert (held.minutes(5400), held.minutes(6300)) == (at_90, at_150)


def test_it_is_active_from_its_start_until_before_its_end() -> None:
    held = reservation()
    assert [held.active(now) for now in (99.9, 100, 199.9, 200)] == [False, True, True, False]
