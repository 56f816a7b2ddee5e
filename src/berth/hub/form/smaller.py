"""Smaller requests that would start now: the largest that fits in each room, the least given up first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from berth.hub.texts import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from berth.hub.form.options import Offer
    from berth.slurm.free.capacity import Room

MOST: Final = 3
"""How many are suggested."""
OTHER_TYPE: Final = 0.25
"""What another type of GPU counts: as much as to give up a quarter of one of the things asked for."""
SCARCEST_FIRST: Final = ("gpus", "memory", "cores", "time")
"""The fields that can ask for less; of equal steps down, one in an earlier field is suggested first."""


def suggest(
    offer: Offer,
    values: Mapping[str, str],
    rooms: Iterable[tuple[Room, float]],
    left: Mapping[str, int],
) -> Iterator[dict[str, str]]:
    """Give the fields to change, for at most three requests that could start instead of `values`.

    `rooms` come with the minutes until they close; `left` is what the user's limits leave of a field, where
    there is a limit.
    """
    menus = _Menus(offer, values, left)
    candidates = {item for room, minutes in rooms for item in menus.largest_in(room, minutes)}
    kept: list[_Candidate] = []
    for candidate in sorted(candidates, key=_Candidate.rank):
        if len(kept) == MOST:
            return
        changed = {
            name: step.value
            for name, step in zip(SCARCEST_FIRST, candidate.steps, strict=True)
            if step.value != values[name]
        }
        if any(other.leaves_nothing_to(candidate) for other in kept):
            continue
        if not offer.rules.problems({**values, **changed}):
            kept.append(candidate)
            yield changed


@dataclass(frozen=True)
class _Step:
    """One entry of a menu, by how much it asks for."""

    amount: int
    value: str
    kind: str = ""
    """The type of GPU."""


@dataclass(frozen=True)
class _Candidate:
    """A request that fits somewhere, and the share of what was asked for that it gives up."""

    steps: tuple[_Step, ...]
    """In the order of SCARCEST_FIRST: GPUs first."""
    given_up: float

    def rank(self) -> tuple[float | int | str, ...]:
        """Sort by what is given up; of equals, that which leaves the scarcer things to others comes first."""
        return (self.given_up, *(step.amount for step in self.steps), self.steps[0].kind)

    def leaves_nothing_to(self, other: _Candidate) -> bool:
        """Whether `other` asks for no more of anything, so that nobody would choose it."""
        more = any(theirs.amount > own.amount for own, theirs in zip(self.steps, other.steps, strict=True))
        gpus = other.steps[0]
        return not more and (not gpus.amount or gpus.kind == self.steps[0].kind)


class _Menus:
    """The entries that ask for no more than a request does, the largest first."""

    def __init__(self, offer: Offer, values: Mapping[str, str], left: Mapping[str, int]) -> None:
        """Read the menus of `offer`."""
        self.asked = {name: words.amount_of(name, values[name]) for name in SCARCEST_FIRST}
        self.kind, _ = words.split_gpus(values["gpus"])
        bounds = {name: min(amount, left.get(name, amount)) for name, amount in self.asked.items()}
        self.steps = {
            name: sorted(
                (
                    _Step(amount, choice.value, words.split_gpus(choice.value)[0] if name == "gpus" else "")
                    for choice in offer.choices[name]
                    for amount in [words.amount_of(name, choice.value)]
                    if amount <= bounds[name]
                ),
                key=lambda step: -step.amount,
            )
            for name in SCARCEST_FIRST
        }

    def largest_in(self, room: Room, minutes: float) -> Iterator[_Candidate]:
        """Give the largest request that fits for each choice of GPUs that are free in the room."""
        memory = _largest(self.steps["memory"], room.memory_mib)
        cores = _largest(self.steps["cores"], room.widest)
        time = _largest(self.steps["time"], minutes)
        if memory is None or cores is None or time is None:
            return
        for gpus in self.steps["gpus"]:
            free = room.gpus.get(gpus.kind, 0) if gpus.kind else sum(room.gpus.values())
            if gpus.amount <= free:
                steps = (gpus, memory, cores, time)
                yield _Candidate(steps, self._given_up(steps))

    def _given_up(self, steps: tuple[_Step, ...]) -> float:
        shares = [
            step.amount / self.asked[name]
            for name, step in zip(SCARCEST_FIRST, steps, strict=True)
            if self.asked[name]
        ]
        other = OTHER_TYPE if steps[0].amount and steps[0].kind != self.kind else 0.0
        return sum(1 - share for share in shares) + other


def _largest(steps: list[_Step], bound: float) -> _Step | None:
    return next((step for step in steps if step.amount <= bound), None)
