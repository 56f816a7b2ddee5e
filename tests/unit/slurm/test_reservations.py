"""Who may use a reservation: the rules of the manual page scontrol(1)."""

from __future__ import annotations

import pytest

from berth.slurm.records import Reservation


def reservation(users: str = "", accounts: str = "", groups: str = "") -> Reservation:
    def names(text: str) -> tuple[str, ...]:
        return tuple(name for name in text.split(",") if name)

    return Reservation("r", names(users), names(accounts), names(groups), None, ("n1",), start=100, end=200)


@pytest.mark.parametrize(
    ("rules", "allowed"),
    [
        ({"users": "alice,bob"}, True),
        ({"users": "bob"}, False),
        ({"users": "-bob,-carol"}, True),
        ({"users": "-alice"}, False),
        ({"accounts": "proj_b,proj_c"}, True),
        ({"accounts": "proj_c"}, False),
        ({"accounts": "-proj_b"}, True),
        ({"accounts": "-proj_a,-proj_b"}, False),
        ({"users": "alice", "accounts": "proj_a"}, True),
        ({"users": "alice", "accounts": "proj_c"}, False),
        ({"users": "bob", "accounts": "proj_a"}, False),
        ({"users": "-alice", "accounts": "proj_a"}, False),
        ({"users": "-bob", "accounts": "-proj_c"}, True),
        ({"groups": "cluster,staff"}, True),
        ({"groups": "staff"}, False),
        ({"groups": "cluster", "accounts": "proj_c"}, False),
        ({"groups": "cluster", "accounts": "proj_a"}, True),
        ({}, True),
    ],
)
def test_users_groups_and_accounts_must_all_agree(rules: dict[str, str], *, allowed: bool) -> None:
    assert reservation(**rules).may_use("alice", ("proj_a", "proj_b"), ("users", "cluster")) is allowed


def test_the_chosen_account_alone_can_be_asked_about() -> None:
    held = reservation(accounts="proj_b")
    assert held.may_use("alice", ["proj_b"], [])
    assert not held.may_use("alice", ["proj_a"], [])


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
    assert reservation(**rules).may_use("carol", (), ()) is allowed


def test_it_is_active_from_its_start_until_before_its_end() -> None:
    held = reservation()
    assert [held.active(now) for now in (99.9, 100, 199.9, 200)] == [False, True, True, False]
