"""Accounts, users and reservations of a Slurm that Berth manages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from berth.inventory.mistakes import Mistake, nearest
from berth.inventory.nodes import names
from berth.inventory.reading import sentences
from berth.slurm.errors import SlurmValueError
from berth.slurm.notation import hostlist, units

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from berth.inventory.mistakes import Path
    from berth.inventory.site import View

ACCOUNTS = "slurm_cluster_accounts"
USERS = "slurm_cluster_users"
RESERVATIONS = "slurm_cluster_reservations"
_DAEMONS = ("slurmctld", "slurmdbd", "slurmd")
# Of `scontrol create reservation`: what is near to one of them is misspelled, other words are left to Slurm.
_WORDS = (
    *("ReservationName", "StartTime", "EndTime", "Duration", "Nodes", "NodeCnt", "CoreCnt", "Users"),
    *("Groups", "Accounts", "PartitionName", "Flags", "Features", "Licenses", "BurstBuffer", "TRES"),
    *("TRESPerNode", "MaxStartDelay", "QOS", "AllowedPartitions", "Comment", "SkipUsers"),
)


def accounts(view: View) -> Iterator[Mistake]:
    """Find accounts that are described twice, or that belong to an unknown one."""
    yield from _twice(view, ACCOUNTS, "name", "account")
    known = _accounts(view)
    for number, account in enumerate(view.entries(ACCOUNTS)):
        parent = account.get("parent") if isinstance(account, dict) else None
        if parent is not None:
            yield from _unknown_account(view, (ACCOUNTS, number, "parent"), ACCOUNTS, parent, known)


def users(view: View) -> Iterator[Mistake]:
    """Find users that are described twice, have no account, or an unknown one."""
    yield from _twice(view, USERS, "name", "user")
    known = _accounts(view)
    for number, user in enumerate(view.entries(USERS)):
        if not isinstance(user, dict):
            continue  # its shape is reported
        wanted = user.get("accounts")
        if wanted == []:
            fix = "Write the default account at least"
            yield view.mistake((USERS, number, "accounts"), f"user {user.get('name')} has no account", fix)
        for place, account in enumerate(wanted if isinstance(wanted, list) else []):
            path = (USERS, number, "accounts", place)
            yield from _unknown_account(view, path, f"user {user.get('name')}", account, known)


def reservations(view: View) -> Iterator[Mistake]:
    """Find reservations without a beginning or an end, or for nodes and accounts that are unknown."""
    yield from _twice(view, RESERVATIONS, "ReservationName", "reservation")
    for number, reservation in enumerate(view.entries(RESERVATIONS)):
        if isinstance(reservation, dict):
            yield from _reservation(view, (RESERVATIONS, number), reservation)


def settings(view: View) -> Iterator[Mistake]:
    """Find settings that name no daemon, and a slurm.conf that would leave the partition out."""
    name = "slurm_cluster_unit_settings"
    for key in view.mapping(name):
        if key not in _DAEMONS:
            near = nearest(key, _DAEMONS)
            yield view.mistake(
                (name, key), f"{name}: {key} is no daemon of Slurm", f"Write {near or ', '.join(_DAEMONS)}"
            )
    name = "slurm_cluster_database_memory"
    if re.fullmatch("[0-9]+[KMG]?", view.text(name)) is None:
        yield view.mistake(
            (name,), f"{name} is {view.text(name)!r}", "Write digits and K, M or G, such as 1G"
        )
    name, file = "slurm_cluster_includes", f"{view.text('slurm_interactive_config_dir')}/interactive.conf"
    if file not in view.entries(name):
        problem = f"{name} lacks {file}, so slurm.conf would have no interactive partition"
        path = (name,) if view.given(name) else ("slurm_interactive_config_dir",)
        yield view.mistake(path, problem, f"Add {file} to {name}")


def _reservation(view: View, path: Path, reservation: dict[str, object]) -> Iterator[Mistake]:
    said = f"reservation {reservation.get('ReservationName', '')}".rstrip()
    for key in reservation:
        near = nearest(key, _WORDS)
        if key not in _WORDS and near:
            yield view.mistake((*path, key), f"{said}: unknown key {key}", f"Write {near}")
    for key in ("ReservationName", "StartTime"):
        if key not in reservation:
            yield view.mistake(
                path, f"{said} has no {key}", f"Add {key}, as `scontrol show reservation` writes it"
            )
    if not {"Duration", "EndTime"} & set(reservation):
        yield view.mistake(path, f"{said} has no end", 'Add Duration, such as "2-00:00:00", or EndTime')
    yield from _not_text(view, path, said, reservation)
    yield from _members(view, path, said, reservation)


def _not_text(view: View, path: Path, said: str, reservation: dict[str, object]) -> Iterator[Mistake]:
    for key in ("StartTime", "EndTime", "Duration"):
        value = reservation.get(key, "now" if key != "Duration" else "1")
        if not isinstance(value, str):
            problem = f"{said}: {key} is {value}, which YAML made of a time without quotes"
            yield view.mistake((*path, key), problem, "Quote it, as `scontrol show reservation` writes it")
        elif key == "Duration":
            try:
                units.minutes(value)
            except SlurmValueError as error:
                yield view.mistake((*path, key), f"{said}: {key}: {sentences(error)[0]}", sentences(error)[1])


def _members(view: View, path: Path, said: str, reservation: dict[str, object]) -> Iterator[Mistake]:
    """Check nodes and accounts; nodes only where no other included file may describe further ones."""
    nodes = reservation.get("Nodes")
    if isinstance(nodes, str) and nodes.upper() != "ALL" and len(view.entries("slurm_cluster_includes")) == 1:
        try:
            unknown = [name for name in hostlist.expand(nodes) if name not in names(view)]
        except SlurmValueError as error:
            yield view.mistake((*path, "Nodes"), f"{said}: {sentences(error)[0]}", sentences(error)[1])
            unknown = []
        if unknown:
            near = nearest(unknown[0], names(view))
            problem = f"{said}: there is no node {hostlist.fold(unknown)}"
            fix = f"Write {near}" if near else "Describe it in slurm_interactive_nodes"
            yield view.mistake((*path, "Nodes"), problem, fix)
    for account in str(reservation.get("Accounts", "root")).split(","):
        yield from _unknown_account(view, (*path, "Accounts"), said, account.lstrip("-"), _accounts(view))


def _accounts(view: View) -> list[str]:
    described = [str(entry.get("name")) for entry in view.entries(ACCOUNTS) if isinstance(entry, dict)]
    return ["root", *described]


def _unknown_account(
    view: View, path: Path, said: str, account: object, known: Iterable[str]
) -> Iterator[Mistake]:
    if isinstance(account, str) and account and account not in known:  # empty: taken off it
        near = nearest(account, known)
        fix = f"Write {near}" if near else f"Describe it in {ACCOUNTS}"
        yield view.mistake(path, f"{said}: there is no account {account}", fix)


def _twice(view: View, name: str, key: str, what: str) -> Iterator[Mistake]:
    seen: dict[object, int] = {}
    for number, entry in enumerate(view.entries(name)):
        value = entry.get(key) if isinstance(entry, dict) else None
        if isinstance(value, str) and value in seen:
            fix = f"Keep one of the two; the first is at {view.place(name, seen[value])}"
            yield view.mistake((name, number, key), f"{what} {value} is described twice", fix)
        seen.setdefault(value, number)
