"""The options of a session: one model for the form, the REST API and the stored choice.

`Offer` is what one user may choose from at this moment (computed by `berth.hub.offer`). `Offer.validate`
accepts flat text values only and checks each against its own allow-list, so that nothing else can ever
reach sbatch.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from berth.slurm import units

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from berth.releases.catalogue import Release

NO_RESERVATION: Final = ""
NO_ACCOUNT: Final = ""
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
    account: str | None
    """None where accounting is inactive, or where users may do without."""
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
    complete: bool
    """Whether Slurm has answered every kind of question at least once."""
    hints: Mapping[str, str]
    """The limits and rules of a field, as a sentence under it."""

    @property
    def missing(self) -> str:
        """A sentence when no session can be started at all, else empty."""
        if not self.complete:
            return "Slurm has not answered yet, so nothing can be offered. Reload this page in a moment."
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
        for name, label in LABELS.items():
            if not self.choices[name]:
                problems.setdefault(name, f"{label}: nothing can be chosen at the moment.")
        if problems:
            raise OptionsError(problems)
        gpu_type, _, gpus = values["gpus"].rpartition(":")
        minutes = units.minutes(values["time"])
        if minutes is None:  # settings refuse "UNLIMITED" as a choice
            raise OptionsError({"time": "Time: choose a limit."})
        return SessionOptions(
            reservation=values["reservation"] or None,
            account=values["account"] or None,
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
