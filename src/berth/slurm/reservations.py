"""Reservations, as ``scontrol show reservation`` lists them, in JSON or (before 23.02) as text."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from berth.slurm import document
from berth.slurm.errors import SlurmValueError


@dataclass(frozen=True)
class Reservation:
    """One reservation. Times are Unix seconds; names that begin with ``-`` are denied."""

    name: str
    users: tuple[str, ...]
    accounts: tuple[str, ...]
    groups: tuple[str, ...]
    partition: str | None
    nodes: tuple[str, ...]
    start: int
    end: int
    flags: tuple[str, ...] = ()

    def active(self, now: float) -> bool:
        """Tell whether it holds its nodes at the Unix time *now*."""
        return self.start <= now < self.end

    def may_use(self, user: str, accounts: Collection[str], groups: Collection[str]) -> bool:
        """Tell whether a job of *user*, charged to one of *accounts*, may use the reservation.

        The rules are those of the manual page scontrol(1), "RESERVATIONS - SPECIFICATIONS FOR CREATE AND
        UPDATE COMMANDS", entries *Users*, *Groups* and *Accounts*: if users (or groups) and accounts are
        both given, a job must match both; names with a ``-`` before them are denied and everybody else is
        implicitly allowed; users and groups exclude each other, and groups cannot be denied.

        *accounts* are the accounts the user may charge: one that matches is enough. Pass the chosen account
        alone to ask about it. Slurm also lets sub-accounts of a listed account in; as only Slurm knows the
        tree, callers that want it pass the accounts above as well. A reservation that lists nobody is
        controlled by other means (a QOS or a partition, since 24.05): it is left to Slurm to decide.
        """
        if self.groups and not set(self.groups) & set(groups):
            return False
        return _allows(self.users, {user}) and _allows(self.accounts, accounts)


def _allows(listed: tuple[str, ...], names: Collection[str]) -> bool:
    """Tell whether one of *names* is allowed; without names, only an empty or denying list allows."""
    denied = {name[1:] for name in listed if name.startswith("-")}
    allowed = {name for name in listed if not name.startswith("-")}
    left = {name for name in names if name not in denied}
    if allowed:
        return bool(allowed & left)
    return bool(left) or not names


def parse_reservations(answer: object) -> list[Reservation]:
    """Read reservations from the decoded answer.

    Raises:
        SlurmValueError: the answer is not a list of reservations.
    """
    if isinstance(answer, Mapping) and document.ONELINE in answer:
        return [_from_text(record) for record in document.records(answer, document.ONELINE)]
    return [_from_json(record) for record in document.records(answer, "reservations")]


def _from_json(record: document.Record) -> Reservation:
    return Reservation(
        name=document.name(record, "name"),
        users=document.words(record, "users"),
        accounts=document.words(record, "accounts"),
        groups=document.words(record, "groups"),
        partition=document.text(record, "partition") or None,
        nodes=document.hosts(record, "node_list"),
        start=document.number(record, "start_time") or 0,
        end=document.number(record, "end_time") or 0,
        flags=document.words(record, "flags"),
    )


def _from_text(record: document.Record) -> Reservation:
    return Reservation(
        name=document.name(record, "ReservationName"),
        users=document.words(record, "Users"),
        accounts=document.words(record, "Accounts"),
        groups=document.words(record, "Groups"),
        partition=document.text(record, "PartitionName") or None,
        nodes=document.hosts(record, "Nodes"),
        start=_moment(record, "StartTime"),
        end=_moment(record, "EndTime"),
        flags=document.words(record, "Flags"),
    )


def _moment(record: document.Record, key: str) -> int:
    """Return a Unix time; the client has asked Slurm for that form (``SLURM_TIME_FORMAT=%s``)."""
    digits = document.text(record, key)
    if not (digits.isascii() and digits.isdigit() and len(digits) < 16):  # noqa: PLR2004 - a bound for int()
        raise SlurmValueError(f"{key}: expected a Unix time in Slurm's answer, got {digits!r}")
    return int(digits)
