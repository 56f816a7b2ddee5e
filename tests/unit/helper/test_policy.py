from __future__ import annotations

import dataclasses
import grp
import os
import pwd
import socket
from typing import TYPE_CHECKING

import pytest

from berth.helper import policy

if TYPE_CHECKING:
    from berth.helper.settings import Settings


def entry(name: str = "alice", uid: int = 2001, *, login: str = "/bin/bash") -> pwd.struct_passwd:
    return pwd.struct_passwd((name, "x", uid, 100, "", f"/home/{name}", login))


@pytest.fixture
def accounts(monkeypatch: pytest.MonkeyPatch) -> dict[str, pwd.struct_passwd]:
    """Replace the system's accounts; alice is also in the groups 200 and 300."""
    known = {"alice": entry()}
    monkeypatch.setattr(pwd, "getpwnam", known.__getitem__)
    monkeypatch.setattr(os, "getgrouplist", lambda _name, gid: [gid, 200, 300])
    return known


def test_a_user_has_the_groups_of_a_login(accounts: dict[str, pwd.struct_passwd], settings: Settings) -> None:
    assert accounts
    user = policy.find_user("alice", settings)
    assert user == policy.User("alice", 2001, 100, (100, 200, 300), "/home/alice", "/bin/bash")


@pytest.mark.parametrize(
    ("name", "account"),
    [
        ("root", entry("root", 0)),
        ("toor", entry("toor", 0)),
        ("daemon", entry("daemon", 1)),
        ("almost", entry("almost", 999)),
        ("nobody", entry("nobody", 65534)),
        ("slurm", entry("slurm", 64030, login="/usr/sbin/nologin")),
        ("munge", entry("munge", 60001, login="/bin/false")),
        ("ALICE", entry("alice")),
        ("mallory", None),
    ],
)
def test_root_system_accounts_aliases_and_strangers_get_the_same_no(
    accounts: dict[str, pwd.struct_passwd], settings: Settings, name: str, account: pwd.struct_passwd | None
) -> None:
    if account:
        accounts[name] = account
    with pytest.raises(policy.NotPermittedError, match=r"^There is no such user of this service\.$"):
        policy.find_user(name, dataclasses.replace(settings, min_uid=1000))


def test_root_stays_root_however_low_the_site_sets_the_first_uid(settings: Settings) -> None:
    with pytest.raises(policy.NotPermittedError):
        policy.find_user("root", dataclasses.replace(settings, min_uid=1))


@pytest.mark.parametrize(("group", "gid"), [("primary", 100), ("supplementary", 300)])
def test_members_of_the_allowed_group_may_enter(
    accounts: dict[str, pwd.struct_passwd],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    group: str,
    gid: int,
) -> None:
    assert accounts
    monkeypatch.setattr(grp, "getgrnam", {group: grp.struct_group((group, "x", gid, []))}.__getitem__)
    assert policy.permitted_user("alice", dataclasses.replace(settings, allowed_group=group)).uid == 2001


@pytest.mark.parametrize("groups", [{"cluster": grp.struct_group(("cluster", "x", 400, ["alice"]))}, {}])
def test_others_may_not_even_if_the_group_does_not_exist(
    accounts: dict[str, pwd.struct_passwd],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    groups: dict[str, grp.struct_group],
) -> None:
    assert accounts
    monkeypatch.setattr(grp, "getgrnam", groups.__getitem__)
    with pytest.raises(policy.NotPermittedError, match="not a member of the group cluster"):
        policy.permitted_user("alice", dataclasses.replace(settings, allowed_group="cluster"))


@pytest.mark.parametrize("group", [None, ""])
def test_without_a_group_every_ordinary_user_may(
    accounts: dict[str, pwd.struct_passwd], settings: Settings, group: str | None
) -> None:
    assert accounts
    assert policy.permitted_user("alice", dataclasses.replace(settings, allowed_group=group)).name == "alice"


def test_the_peer_is_known_by_the_kernel(settings: Settings, ordinary: str) -> None:
    left, right = socket.socketpair()
    with left, right:
        policy.check_peer(left, settings)
        stranger = ordinary if os.geteuid() == 0 else "root"
        with pytest.raises(policy.NotPermittedError, match=f"not uid {os.geteuid()}"):
            policy.check_peer(left, dataclasses.replace(settings, peer_user=stranger))


def test_a_peer_user_that_does_not_exist_lets_nobody_in(settings: Settings) -> None:
    left, right = socket.socketpair()
    with left, right, pytest.raises(policy.NotPermittedError):
        policy.check_peer(left, dataclasses.replace(settings, peer_user="berth-no-such-user"))
