"""The options of a session: one model for the form, the REST API and the stored choice.

`Offer` is what one user may choose from at this moment: it comes from the settings, the last snapshot and
the catalogue of releases. `Offer.validate` accepts flat text values only and checks each against its own
allow-list, so that nothing else can ever reach sbatch.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from berth.slurm import units

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from berth.hub.settings import FormSettings
    from berth.hub.snapshot import Snapshot
    from berth.releases.catalogue import Release
    from berth.slurm.records import Reservation

NO_RESERVATION: Final = ""
MAX_LENGTH: Final = 128
"""Characters of one value; no name that Slurm accepts here is longer."""

LABELS: Final = {
    "reservation": "Slurm reservation",
    "account": "Slurm account",
    "cores": "Number of cores",
    "memory": "Memory",
    "gpus": "GPU configuration",
    "time": "Time",
    "release": "Backend environment",
    "interface": "User interface",
}
"""The fields in the order of the form, and how users know them."""


class OptionsError(Exception):
    """Options that cannot be used; `problems` maps each field to a sentence."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        """Keep the sentences by field; the text of the error is all of them."""
        self.problems = dict(problems)
        super().__init__(" ".join(self.problems.values()))

    @property
    def jupyterhub_message(self) -> str:
        """The text that JupyterHub shows to the user."""
        return str(self)


@dataclass(frozen=True)
class Choice:
    """One entry of a menu."""

    value: str
    text: str


@dataclass(frozen=True)
class SessionOptions:
    """Validated options of one session, in the units that sbatch gets."""

    reservation: str | None
    account: str
    cores: int
    memory_mib: int
    gpus: int
    gpu_type: str | None
    minutes: int
    release: Release
    interface: str


@dataclass(frozen=True)
class Offer:
    """What one user may choose from: the entries of each field and the one that is chosen at first."""

    choices: Mapping[str, tuple[Choice, ...]]
    defaults: Mapping[str, str]
    releases: tuple[Release, ...]
    hints: Mapping[str, str]
    """The limits and rules of a field, as a sentence under it."""

    @property
    def missing(self) -> str:
        """A sentence when no session can be started at all, else empty."""
        if not self.choices["account"]:
            return (
                "You have no Slurm account on this cluster that may use the interactive partition. "
                "Ask the person who leads your project, or the support, to add you to one."
            )
        if not self.choices["release"]:
            return "No release is installed yet. The operators must publish one first."
        return ""

    def validate(self, raw: Mapping[str, Any]) -> SessionOptions:
        """Return the options for `raw` (text by field; a missing field means its default).

        Raises OptionsError with a sentence for each wrong or unknown field.
        """
        values, problems = self.clean(raw)
        if self.missing:
            problems.setdefault("account", self.missing)
        if problems:
            raise OptionsError(problems)
        gpu_type, _, gpus = values["gpus"].rpartition(":")
        minutes = units.minutes(values["time"])
        if minutes is None:  # settings refuse "UNLIMITED" as a choice
            raise OptionsError({"time": "Time: choose a limit."})
        return SessionOptions(
            reservation=values["reservation"] or None,
            account=values["account"],
            cores=int(values["cores"]),
            memory_mib=units.mebibytes(values["memory"]),
            gpus=int(gpus),
            gpu_type=gpu_type or None,
            minutes=minutes,
            release=next(item for item in self.releases if item.name == values["release"]),
            interface=values["interface"],
        )

    def clean(self, raw: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
        """Return (values of every field, sentences about the fields that are wrong)."""
        values = dict(self.defaults)
        problems = {
            name: f"{_printable(name)} is not an option of this service."
            for name in raw
            if name not in LABELS
        }
        for name, label in LABELS.items():
            if name not in raw:
                continue
            text = raw[name]
            if not isinstance(text, str) or len(text) > MAX_LENGTH:
                problems[name] = f"{label}: send one short text value."
            elif text not in {choice.value for choice in self.choices[name]}:
                problems[name] = f"{label}: {_printable(text)} is not one of the choices."
            else:
                values[name] = text
        return values, problems


def _printable(text: object) -> str:
    """Quote a rejected value for a sentence: control and separator characters shown, length bounded."""
    shown = "".join(
        character
        if unicodedata.category(character)[0] not in "CZ" or character == " "
        else "\N{REPLACEMENT CHARACTER}"
        for character in str(text)[:40]
    )
    return f"“{shown}”"


def single_values(form: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Turn JupyterHub's form data (lists by field) into one value a field; repeated fields stay lists.

    A repeated field is then refused by `Offer.validate`, which takes text only.
    """
    return {name: values[0] if len(values) == 1 else list(values) for name, values in form.items()}


@dataclass(frozen=True)
class Person:
    """Who asks: the Unix name and the names of its groups."""

    name: str
    groups: tuple[str, ...] = ()


def offer(
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
        "account": tuple(Choice(name, name) for name in accounts),
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
        hints=_hints(snapshot, settings),
    )


def _default(entries: Sequence[Choice], wanted: str) -> str:
    """Return the wanted entry; for GPUs the first one of that count; else the first entry."""
    for entry in entries:
        if entry.value == wanted or entry.value.rpartition(":")[2] == wanted:
            return entry.value
    return entries[0].value if entries else ""


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


def _hints(snapshot: Snapshot, settings: FormSettings) -> dict[str, str]:
    most_cores = max((node.cpus for node in snapshot.nodes), default=0)
    most_memory = max((node.memory_mib for node in snapshot.nodes), default=0)
    most_time = snapshot.partition.max_time if snapshot.partition else None
    shared = (
        f"Up to {settings.shared_by} users may share a core when the system is full."
        if settings.shared_by > 1
        else "Cores are yours alone."
    )
    return {
        "reservation": "Leave “None” unless you were given one, for example for a course.",
        "account": "The account that the session is charged to.",
        "cores": f"At most {most_cores} on one node. {shared}",
        "memory": f"At most {units.format_mebibytes(most_memory)} on one node; memory is yours alone.",
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
    mebibytes = units.mebibytes(text)
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
