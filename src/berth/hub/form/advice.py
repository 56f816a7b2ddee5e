"""Whether a request could start now, and which smaller one could: from the snapshot, never from Slurm."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from berth.hub.form import smaller
from berth.hub.texts import words
from berth.hub.texts.labels import LABELS, RESOURCES
from berth.hub.texts.text import Text, say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from berth.hub.collector.snapshot import Snapshot
    from berth.hub.form.options import Offer
    from berth.slurm.free.capacity import Request

STALE_SECONDS: Final = 120.0
"""Figures of this age say nothing about now."""


@dataclass(frozen=True)
class Suggestion:
    """A smaller request: the fields that differ, and the same in words."""

    values: Mapping[str, str]
    changes: tuple[Text, ...]

    @property
    def text(self) -> str:
        """What differs, in one line, in the language of the request."""
        return "; ".join(map(str, self.changes))


@dataclass(frozen=True)
class Advice:
    """What is said beside Start."""

    now: bool | None
    """Whether it could start now; None: not known."""
    sentence: Text
    probably: bool = False
    """Others wait in the queue and may be served first."""
    suggestions: tuple[Suggestion, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types, texts in the reader's language."""
        return {
            "now": self.now,
            "probably": self.probably,
            "sentence": str(self.sentence),
            "suggestions": [{"values": dict(item.values), "text": item.text} for item in self.suggestions],
        }


def advise(user: str, offer: Offer, raw: Mapping[str, Any], snapshot: Snapshot, now: float) -> Advice:
    """Judge a request of `user` at the Unix time `now`. Raises OptionsError for one that is not on offer."""
    request = offer.validate(raw)
    values, _ = offer.clean(raw)
    asked_at = min(snapshot.jobs_part.asked_at, snapshot.nodes_part.asked_at)
    if snapshot.jobs_part.error or snapshot.nodes_part.error or now - asked_at > STALE_SECONDS:
        return Advice(None, say("availability.not_known"))
    if snapshot.partition is not None and snapshot.partition.state not in {"UP", ""}:
        return Advice(now=False, sentence=say("availability.closed", state=snapshot.partition.state))
    notes = offer.rules.accounts[values["account"]].notes
    if "" in notes:
        return Advice(now=False, sentence=notes[""])
    left = _left(user, offer, values, snapshot)
    over = (notes[name] for name, most in left.items() if words.amount_of(name, values[name]) > most)
    obstacle = next(over, None) or _obstacle(request, snapshot, now)
    if obstacle is not None:
        rooms = ((room, (end - now) / 60) for room, end in snapshot.openings.rooms(request.reservation, now))
        found = smaller.suggest(offer, values, rooms, left)
        suggestions = tuple(Suggestion(item, _changes(offer, values, item)) for item in found)
        return Advice(now=False, sentence=obstacle, suggestions=suggestions)
    ahead = snapshot.openings.ahead.get(request.reservation, 0)
    if ahead:
        return Advice(now=True, sentence=say("availability.probably", count=ahead), probably=True)
    return Advice(now=True, sentence=say("availability.room"))


def with_hint(found: Advice, hint: Text | None) -> Advice:
    """Return the advice with one more sentence that is worth knowing, if there is one."""
    if hint is None:
        return found
    return replace(found, sentence=say("form.two", first=found.sentence, then=hint))


def _left(user: str, offer: Offer, values: Mapping[str, str], snapshot: Snapshot) -> dict[str, int]:
    """Return what the user's running jobs leave of the user's limits, by the fields that are limited."""
    enforced = offer.rules.accounts[values["account"]].enforced
    own = [job for job in snapshot.jobs.values() if job.user == user]
    uses = {name: enforced.use(own, what) for name, what in RESOURCES.items()}
    return {name: use.left for name, use in uses.items() if use is not None}


def _obstacle(request: Request, snapshot: Snapshot, now: float) -> Text | None:
    """Return a sentence when no node takes the request now."""
    openings = snapshot.openings
    if openings.starts(request, now):
        return None
    listed = openings.listed.get(request.reservation or "")
    if listed is not None and listed.start > now and not listed.flexible:
        return say("availability.not_begun", name=listed.name)
    if any(room.fits(request) for room, _ in openings.rooms(request.reservation, now)):
        return say("availability.too_long")
    return say("availability.full")


def _changes(offer: Offer, values: Mapping[str, str], changed: Mapping[str, str]) -> tuple[Text, ...]:
    return tuple(
        say(
            "availability.change",
            label=LABELS[name],
            new=offer.text(name, value),
            old=offer.text(name, values[name]),
        )
        for name, value in changed.items()
    )
