"""What the site lets the members of its Unix groups ask for, beside what Slurm allows.

A user is bound by the rules of all their groups that have one; of those, the most generous counts, field by
field. Whoever is in none of these groups is not bound.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from berth.hub.texts import words
from berth.hub.texts.labels import LABELS
from berth.hub.texts.text import say
from berth.slurm.notation import units

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from berth.hub.texts.text import Text

FIELDS: Final = ("cores", "memory", "gpus", "time")
"""The fields with a most."""


def _size(text: str) -> str:
    units.mebibytes(text)
    return text


def _duration(text: str) -> str:
    if not units.minutes(text):
        message = "write a time such as 08:00:00, or leave it out for no limit"
        raise ValueError(message)
    return text


class GroupLimits(BaseModel):
    """What the members of one group may ask for; what is left out is not limited."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    group: str = Field(min_length=1)
    cores: int | None = Field(default=None, ge=1)
    memory: Annotated[str, AfterValidator(_size)] | None = None
    """In Slurm's notation."""
    gpus: int | None = Field(default=None, ge=0)
    time: Annotated[str, AfterValidator(_duration)] | None = None
    """In Slurm's notation."""
    releases: tuple[str, ...] | None = None
    """The only releases that they are offered."""

    def most(self, name: str) -> int | None:
        """Return the most of a field: cores, MiB, GPUs or minutes; None for no limit."""
        given = getattr(self, name)
        return words.amount_of(name, given) if isinstance(given, str) else given


@dataclass(frozen=True)
class Policy:
    """What one user's groups let them ask for."""

    most: Mapping[str, int] = field(default_factory=dict)
    """By field, where something limits it: cores, MiB, GPUs or minutes."""
    releases: frozenset[str] | None = None
    """The only releases that are offered; None for all."""
    groups: tuple[str, ...] = ()
    """The user's groups that have a rule."""

    def allows(self, name: str, amount: int) -> bool:
        """Tell whether so much of a field may be asked for."""
        return amount <= self.most.get(name, amount)

    def shows(self, release: str) -> bool:
        """Tell whether a release is offered."""
        return self.releases is None or release in self.releases

    def lowest(self, name: str, bound: int | None) -> int | None:
        """Return the lower one of a bound and this policy's."""
        found = [item for item in (bound, self.most.get(name)) if item is not None]
        return min(found, default=None)

    def beyond(self, name: str) -> Text:
        """Say that a choice is above what may be asked for."""
        most = words.shown(name, self.most[name])
        return say("form.most_group", label=LABELS[name], most=most, groups=self.named)

    def unseen(self, release: str) -> Text:
        """Say that a release is not for this user."""
        return say("form.release_group", label=LABELS["release"], name=release, groups=self.named)

    def hint(self, name: str, hint: Text) -> Text:
        """Add to a field's hint what the groups mean for it."""
        if name not in self.most:
            return hint
        most = words.shown(name, self.most[name])
        return say("form.hint_group", hint=hint, most=most, groups=self.named)

    def withheld(self, name: str, values: Iterable[str]) -> dict[str, Text]:
        """Return why some values of a field cannot be chosen, by value."""
        beyond = (value for value in values if not self.allows(name, words.amount_of(name, value)))
        return {value: self.beyond(name) for value in beyond}

    @property
    def named(self) -> str:
        """The groups, for a sentence."""
        return ", ".join(self.groups)


def of(groups: Collection[str], rules: Sequence[GroupLimits]) -> Policy:
    """Return the policy for the member of some groups."""
    own = [rule for rule in rules if rule.group in groups]
    if not own:
        return Policy()
    most: dict[str, int] = {}
    for name in FIELDS:
        amounts = [amount for rule in own if (amount := rule.most(name)) is not None]
        if len(amounts) == len(own):
            most[name] = max(amounts)
    shown = [rule.releases for rule in own if rule.releases is not None]
    releases = frozenset(name for names in shown for name in names) if len(shown) == len(own) else None
    return Policy(most, releases, tuple(dict.fromkeys(rule.group for rule in own)))
