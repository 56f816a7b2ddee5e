"""Reservations, as ``scontrol show reservation`` lists them, in JSON or (before 23.02) as text."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from berth.slurm.answers import document
from berth.slurm.errors import SlurmValueError

_RECURRING = frozenset({"HOURLY", "DAILY", "WEEKLY", "WEEKDAY", "WEEKEND"})


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

    def admits(self, user: str, groups: Collection[str]) -> bool:
        """Tell whether a job of *user* may use the reservation, as far as users and Unix groups decide.

        The rules are those of the manual page scontrol(1), "RESERVATIONS - SPECIFICATIONS FOR CREATE AND
        UPDATE COMMANDS", entries *Users*, *Groups* and *Accounts*: if users (or groups) and accounts are
        both given, a job must match both; names with a ``-`` before them are denied and everybody else is
        implicitly allowed; users and groups exclude each other, and groups cannot be denied. A reservation
        that lists nobody is controlled by other means (a QOS or a partition, since 24.05): it is left to
        Slurm to decide.
        """
        if self.groups and not set(self.groups) & set(groups):
            return False
        return _allows(self.users, [user])

    def admits_account(self, accounts: Sequence[str]) -> bool:
        """Tell whether a job may use it that is charged to an account.

        *accounts* is that account and those above it, as what is listed stands for all below it; empty for a
        job without an account.
        """
        return _allows(self.accounts, accounts)

    @property
    def flexible(self) -> bool:
        """Whether its jobs may use other nodes, and begin before or end after it."""
        return "FLEX" in self.flags

    def minutes(self, now: float) -> int | None:
        """Return the longest time of a job that starts at *now*, or when it begins; ``None`` for any."""
        if self.flexible:
            return None
        # One that comes again leaves as much time then as it has in all.
        begin = self.start if _RECURRING & set(self.flags) else max(self.start, now)
        return max(0, int(self.end - begin) // 60)


def _allows(listed: tuple[str, ...], names: Sequence[str]) -> bool:
    """Tell whether one of *names* is allowed and none denied; no names pass all but a list that allows."""
    denied = {name[1:] for name in listed if name.startswith("-")}
    allowed = {name for name in listed if not name.startswith("-")}
    return not denied & set(names) and (not allowed or bool(allowed & set(names)))


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
