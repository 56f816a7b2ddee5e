"""What one user may choose from at one moment, computed from settings, snapshot and catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from berth.hub.options import NO_ACCOUNT, NO_RESERVATION, Choice, Offer
from berth.slurm import units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from berth.hub.settings import FormSettings
    from berth.hub.snapshot import Snapshot
    from berth.releases.catalogue import Release
    from berth.slurm.records import Reservation


@dataclass(frozen=True)
class Person:
    """Who asks: the Unix name and the names of its groups."""

    name: str
    groups: tuple[str, ...] = ()


def compute(
    person: Person,
    snapshot: Snapshot,
    settings: FormSettings,
    releases: Sequence[Release],
    now: float,
) -> Offer:
    """Compute what `person` may choose from at the Unix time `now`."""
    accounts = snapshot.accounts_of(person.name)
    usable = [
        item
        for item in snapshot.reservations
        if item.end > now
        and item.partition in {None, "", snapshot.partition.name if snapshot.partition else None}
        and item.may_use(person.name, accounts, person.groups)
    ]
    choices = {
        "reservation": (
            Choice(NO_RESERVATION, "None"),
            *(Choice(item.name, reservation_text(item, now)) for item in usable),
        ),
        "account": _accounts(snapshot, accounts),
        "cores": tuple(Choice(str(n), str(n)) for n in _cores(snapshot, settings)),
        "memory": tuple(Choice(text, size_text(text)) for text in _memory(snapshot, settings)),
        "gpus": _gpus(snapshot, settings),
        "time": tuple(Choice(text, time_text(text)) for text in _times(snapshot, settings)),
        "release": tuple(Choice(item.name, release_text(item)) for item in releases),
        "interface": tuple(Choice(item.name, item.title) for item in settings.interfaces),
    }
    wanted = {
        "reservation": NO_RESERVATION,
        "cores": str(settings.cores.default),
        "memory": settings.memory.default,
        "gpus": str(settings.gpus.default),
        "time": settings.time.default,
    }
    return Offer(
        choices=choices,
        defaults={name: _default(entries, wanted.get(name, "")) for name, entries in choices.items()},
        releases=tuple(releases),
        complete=snapshot.complete,
        hints=_hints(snapshot, charged=bool(accounts)),
    )


def _default(entries: Sequence[Choice], wanted: str) -> str:
    """Return the wanted entry; for GPUs the first one of that count; else the first entry."""
    for entry in entries:
        if entry.value == wanted or entry.value.rpartition(":")[2] == wanted:
            return entry.value
    return entries[0].value if entries else ""


def _accounts(snapshot: Snapshot, accounts: Sequence[str]) -> tuple[Choice, ...]:
    """Return the user's accounts; one entry without an account where Slurm asks for none."""
    controller = snapshot.controller
    if accounts or controller is None or controller.associations:
        return tuple(Choice(name, name) for name in accounts)
    return (Choice(NO_ACCOUNT, "None" if controller.accounting else "None: accounting is inactive"),)


def _cores(snapshot: Snapshot, settings: FormSettings) -> list[int]:
    most = max((node.cpus for node in snapshot.nodes), default=None)
    return [n for n in settings.cores.choices if n > 0 and (most is None or n <= most)]


def _memory(snapshot: Snapshot, settings: FormSettings) -> list[str]:
    most = max((node.memory_mib for node in snapshot.nodes), default=None)
    return [text for text in settings.memory.choices if most is None or units.mebibytes(text) <= most]


def _times(snapshot: Snapshot, settings: FormSettings) -> list[str]:
    most = snapshot.partition.max_time if snapshot.partition else None
    return [text for text in settings.time.choices if most is None or (units.minutes(text) or 0) <= most]


def _gpus(snapshot: Snapshot, settings: FormSettings) -> tuple[Choice, ...]:
    """One entry for each type and count that one node can give: `0`, `a100:1`, `:1` (no type)."""
    most: dict[str, int] = {}
    for node in snapshot.nodes:
        for gpu_type, count in node.gpus.items():
            most[gpu_type] = max(most.get(gpu_type, 0), count)
    entries = [Choice("0", "No GPU")] if 0 in settings.gpus.choices else []
    for gpu_type, count in sorted(most.items()):
        name = f"{gpu_type} GPU" if gpu_type else "GPU"
        entries += [
            Choice(f"{gpu_type}:{n}", f"{n} {name}{'s' if n > 1 else ''}")
            for n in settings.gpus.choices
            if 0 < n <= count
        ]
    return tuple(entries)


def _hints(snapshot: Snapshot, *, charged: bool) -> dict[str, str]:
    most_cores = max((node.cpus for node in snapshot.nodes), default=0)
    most_memory = max((node.memory_mib for node in snapshot.nodes), default=0)
    most_time = snapshot.partition.max_time if snapshot.partition else None
    shared = (
        f"Up to {snapshot.shared_by} users may share a core when the system is full."
        if snapshot.shared_by > 1
        else "Cores are yours alone."
    )
    charge = "The account that the session is charged to."
    if snapshot.controller is not None and not snapshot.controller.accounting:
        charge = "Accounting is inactive at present: no session is charged to anybody."
    elif not charged:
        charge = "You belong to no account: the session is recorded without one."
    return {
        "reservation": "Leave “None” unless you were given one, for example for a course.",
        "account": charge,
        "cores": f"At most {most_cores} on one node. {shared}",
        "memory": f"At most {mebibytes_text(most_memory)} on one node; memory is yours alone.",
        "gpus": "GPUs are yours alone: stop the session when you are done, so that others can use them.",
        "time": "The session lives this long, whether the browser is open or not."
        + (f" At most {duration_text(most_time)}." if most_time else ""),
        "release": "The newest is first. Versions inside a release never change.",
        "interface": "What opens first.",
    }


def duration_text(minutes: int) -> str:
    """Return minutes in words: `1 hour 30 minutes`."""
    days, rest = divmod(minutes, 1440)
    hours, left = divmod(rest, 60)
    parts = [
        f"{number} {unit}{'s' if number > 1 else ''}"
        for number, unit in ((days, "day"), (hours, "hour"), (left, "minute"))
        if number
    ]
    return " ".join(parts) or "0 minutes"


def time_text(text: str) -> str:
    """Return a Slurm time in words."""
    return duration_text(units.minutes(text) or 0)


def size_text(text: str) -> str:
    """Return a Slurm size for people: `8 GiB`."""
    return mebibytes_text(units.mebibytes(text))


def mebibytes_text(mebibytes: int) -> str:
    """Return a number of mebibytes for people."""
    whole, rest = divmod(mebibytes, 1024)
    return f"{whole} GiB" if whole and not rest else f"{mebibytes} MiB"


def release_text(release: Release) -> str:
    """Return a release with what is inside it."""
    inside = ", ".join(environment.display_name for environment in release.environments)
    return f"{release.name} ({inside})"


def reservation_text(reservation: Reservation, now: float) -> str:
    """Return a reservation with its start when it is still to come."""
    if reservation.start <= now:
        return reservation.name
    days, rest = divmod(int(reservation.start - now), 86400)
    wait = f"{days} d {rest // 3600} h" if days else f"{rest // 3600} h {rest % 3600 // 60} min"
    return f"{reservation.name} (starts in {wait})"
