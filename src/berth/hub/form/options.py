"""The options of a session: one model for the form, the REST API and the stored choice.

`Offer` is what one user may choose from at this moment (computed by `berth.hub.form.offer`). `Offer.validate`
accepts flat text values only and checks each against its own allow-list, so that nothing else can ever
reach sbatch.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from berth.helper.client import Resources
from berth.hub.form.rules import ORDER
from berth.hub.texts import words
from berth.hub.texts.labels import LABELS
from berth.hub.texts.text import ENGLISH, say
from berth.slurm.free.capacity import Request
from berth.slurm.notation import units

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from berth.hub.form.rules import Rules
    from berth.hub.texts.text import Text
    from berth.releases.catalogue import Release

__all__ = [
    "LABELS",
    "MAX_LENGTH",
    "Choice",
    "Offer",
    "OptionsError",
    "SessionOptions",
    "printable",
    "single_values",
]

NO_RESERVATION: Final = ""
NO_ACCOUNT: Final = ""
MAX_LENGTH: Final = 128
"""Characters of one value; no name that Slurm accepts here is longer."""
RISING: Final = frozenset({"cores", "memory", "time"})
"""The fields whose choices are quantities, the highest last."""
SHOWN_LENGTH: Final = 40
"""Characters of a rejected value that a sentence repeats."""


class OptionsError(Exception):
    """Options that cannot be used; `problems` maps each field to a sentence."""

    def __init__(self, problems: Mapping[str, Text]) -> None:
        """Keep the sentences by field; the text of the error is all of them, in English for the journal."""
        self.problems = dict(problems)
        super().__init__(" ".join(sentence.in_language(ENGLISH) for sentence in self.problems.values()))

    @property
    def jupyterhub_message(self) -> str:
        """The text that JupyterHub shows to the user, in the language of the request."""
        return " ".join(str(sentence) for sentence in self.problems.values())


@dataclass(frozen=True)
class Choice:
    """One entry of a menu."""

    value: str
    text: Text | str


@dataclass(frozen=True, kw_only=True)
class SessionOptions(Request):
    """Validated options of one session: what it asks for on a node, who is charged, and what it runs."""

    minutes: int
    account: str | None
    """None where accounting is inactive, or where users may do without."""
    release: Release
    interface: str

    @property
    def asked(self) -> dict[str, Any]:
        """What was chosen, as JSON types."""
        return {**vars(self), "release": self.release.name}

    @property
    def resources(self) -> Resources:
        """What Slurm sees of them."""
        return Resources(
            account=self.account,
            reservation=self.reservation,
            cores=self.cores,
            memory_mib=self.memory_mib,
            gpus=self.gpus,
            gpu_type=self.gpu_type,
            minutes=self.minutes,
        )


@dataclass(frozen=True)
class Offer:
    """What one user may choose from: the entries of each field and the one that is chosen at first."""

    choices: Mapping[str, tuple[Choice, ...]]
    defaults: Mapping[str, str]
    """A choice of each field (`""` where it has none); all of them can be had together."""
    releases: tuple[Release, ...]
    hints: Mapping[str, Text]
    """The rules of a field, as a sentence under it."""
    rules: Rules
    """What can be had together."""
    missing: Text | None = None
    """A sentence when no session can be started at all."""
    withheld: Mapping[str, Mapping[str, Text]] = field(default_factory=dict)
    """By field and value: why it cannot be chosen though there is such a thing."""

    def validate(self, raw: Mapping[str, Any]) -> SessionOptions:
        """Return the options for `raw` (text by field; a missing field means its default).

        Raises OptionsError with a sentence for each wrong or unknown field.
        """
        values, problems = self.clean(raw)
        if self.missing is not None:
            problems.setdefault("account", self.missing)
        problems = problems or self.rules.problems(values)
        if problems:
            raise OptionsError(problems)
        gpu_type, gpus = words.split_gpus(values["gpus"])
        return SessionOptions(
            reservation=values["reservation"] or None,
            account=values["account"] or None,
            cores=int(values["cores"]),
            memory_mib=units.mebibytes(values["memory"]),
            gpus=gpus,
            gpu_type=gpu_type or None,
            minutes=words.amount_of("time", values["time"]),
            release=next(item for item in self.releases if item.name == values["release"]),
            interface=values["interface"],
        )

    def clean(self, raw: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Text]]:
        """Return (values of every field, sentences about the fields that are wrong by themselves)."""
        values = dict(self.defaults)
        problems = {
            printable(name): say("form.unknown", name=printable(name)) for name in raw if name not in LABELS
        }
        for name, label in LABELS.items():
            if name not in raw:
                continue
            text = raw[name]
            if not isinstance(text, str) or len(text) > MAX_LENGTH:
                problems[name] = say("form.one_text", label=label)
            elif all(text != choice.value for choice in self.choices[name]):
                problems[name] = self._no_choice(name, printable(text))
            else:
                values[name] = text
        return values, problems

    def _no_choice(self, name: str, value: str) -> Text:
        if sentence := self.withheld.get(name, {}).get(value):
            return sentence
        if name in RISING and self.choices[name]:
            highest = self.choices[name][-1].text
            return say("form.no_choice_highest", label=LABELS[name], value=value, highest=highest)
        return say("form.no_choice", label=LABELS[name], value=value)

    def settled(self, values: Mapping[str, str]) -> tuple[dict[str, str], dict[str, Text]]:
        """Return values that can be had together, near to these, and what was wrong with the others.

        `values` has a choice for every field.
        """
        found, changed = dict(values), {}
        for name in ORDER:
            sentence = self.rules.problem(name, found)
            if sentence is not None:
                changed[name] = sentence
                found[name] = self._instead(name, found)
        return found, changed

    def _instead(self, name: str, values: Mapping[str, str]) -> str:
        """Return the default, or else the highest choice that can be had; what is chosen where none can."""
        for choice in [self.defaults[name], *(item.value for item in reversed(self.choices[name]))]:
            if choice and self.rules.problem(name, {**values, name: choice}) is None:
                return choice
        return values[name]

    def text(self, name: str, value: str) -> Text | str:
        """Return what the menu of a field shows for a choice; empty for none."""
        return next((choice.text for choice in self.choices[name] if choice.value == value), "")


def printable(text: object) -> str:
    """Return a rejected value for a sentence: control and separator characters shown, length bounded."""
    return "".join(
        character
        if unicodedata.category(character)[0] not in "CZ" or character == " "
        else "\N{REPLACEMENT CHARACTER}"
        for character in str(text)[:SHOWN_LENGTH]
    )


def single_values(form: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Turn JupyterHub's form data (lists by field) into one value a field; repeated fields stay lists.

    A repeated field is then refused by `Offer.validate`, which takes text only.
    """
    return {name: values[0] if len(values) == 1 else list(values) for name, values in form.items()}
