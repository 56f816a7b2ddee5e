"""Whether a request could start now, and which smaller one could: from the snapshot, never from Slurm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from berth.hub.options import LABELS
from berth.hub.text import Text, say
from berth.slurm import units
from berth.slurm.capacity import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from berth.hub.options import Offer, SessionOptions
    from berth.hub.snapshot import Snapshot
    from berth.slurm.capacity import Room

SUGGESTIONS: Final = 3
OTHER_TYPE: Final = 0.25
"""What another type of GPU counts: as much as to give up a quarter of one of the things asked for."""
STALE_SECONDS: Final = 120.0
"""Figures of this age say nothing about now."""


@dataclass(frozen=True)
class Suggestion:
    """A smaller request: the fields that differ, and the same in words."""

    values: Mapping[str, str]
    changes: tuple[Text, ...]


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
            "suggestions": [
                {"values": dict(item.values), "text": "; ".join(map(str, item.changes))}
                for item in self.suggestions
            ],
        }


def advise(offer: Offer, raw: Mapping[str, Any], snapshot: Snapshot, now: float) -> Advice:
    """Judge a request at the Unix time `now`. Raises OptionsError for one that is not on offer."""
    request = as_request(offer.validate(raw))
    asked_at = min(snapshot.jobs_part.asked_at, snapshot.nodes_part.asked_at)
    if snapshot.jobs_part.error or snapshot.nodes_part.error or now - asked_at > STALE_SECONDS:
        return Advice(None, say("availability.not_known"))
    if snapshot.partition is not None and snapshot.partition.state not in {"UP", ""}:
        return Advice(now=False, sentence=say("availability.closed", state=snapshot.partition.state))
    openings = snapshot.openings
    if openings.starts(request, now):
        ahead = openings.ahead.get(request.reservation, 0)
        if ahead:
            return Advice(now=True, sentence=say("availability.probably", count=ahead), probably=True)
        return Advice(now=True, sentence=say("availability.room"))
    return Advice(
        now=False,
        sentence=_obstacle(request, snapshot, now),
        suggestions=tuple(_smaller(offer, raw, request, snapshot, now)),
    )


def as_request(chosen: SessionOptions) -> Request:
    """Return what the options ask for on a node."""
    return Request(
        cores=chosen.cores,
        memory_mib=chosen.memory_mib,
        gpus=chosen.gpus,
        gpu_type=chosen.gpu_type,
        minutes=chosen.minutes,
        reservation=chosen.reservation,
    )


def _obstacle(request: Request, snapshot: Snapshot, now: float) -> Text:
    """Say why it cannot start."""
    listed = snapshot.openings.listed.get(request.reservation or "")
    if listed is not None and listed.start > now:
        return say("availability.not_begun", name=listed.name)
    if any(room.fits(request) for room, _ in snapshot.openings.rooms(request.reservation, now)):
        return say("availability.too_long")
    return say("availability.full")


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

    cores: _Step
    memory: _Step
    gpus: _Step
    time: _Step
    given_up: float

    def rank(self) -> tuple[float | int | str, ...]:
        """Sort by what is given up; of equals, that which leaves the scarcer things to others comes first."""
        steps = (self.gpus, self.memory, self.cores, self.time)
        return (self.given_up, *(step.amount for step in steps), self.gpus.kind)

    def asks_no_less_than(self, other: _Candidate) -> bool:
        """Whether this one leaves no reason to ask for the other one."""
        return (
            self.cores.amount >= other.cores.amount
            and self.memory.amount >= other.memory.amount
            and self.time.amount >= other.time.amount
            and self.gpus.amount >= other.gpus.amount
            and (not other.gpus.amount or self.gpus.kind == other.gpus.kind)
        )


class _Menus:
    """The entries that ask for no more than a request does, the largest first."""

    def __init__(self, offer: Offer, request: Request) -> None:
        """Read the menus of `offer`."""
        self.request = request
        minutes = request.minutes or 0
        self.cores = _steps(offer, "cores", int, request.cores)
        self.memory = _steps(offer, "memory", units.mebibytes, request.memory_mib)
        self.time = _steps(offer, "time", lambda value: units.minutes(value) or 0, minutes)
        self.gpus = [
            _Step(int(number), choice.value, kind)
            for choice in offer.choices["gpus"]
            for kind, _, number in [choice.value.rpartition(":")]
            if int(number) <= request.gpus
        ]

    def largest_in(self, room: Room, minutes: float) -> Iterator[_Candidate]:
        """Give the largest request that fits for each choice of GPUs that are free in the room."""
        cores = _largest(self.cores, room.widest)
        memory = _largest(self.memory, room.memory_mib)
        time = _largest(self.time, minutes)
        if cores is None or memory is None or time is None:
            return
        for gpus in self.gpus:
            free = room.gpus.get(gpus.kind, 0) if gpus.kind else sum(room.gpus.values())
            if gpus.amount <= free:
                yield _Candidate(cores, memory, gpus, time, self._given_up(cores, memory, gpus, time))

    def _given_up(self, cores: _Step, memory: _Step, gpus: _Step, time: _Step) -> float:
        request = self.request
        shares = [cores.amount / request.cores, memory.amount / request.memory_mib]
        shares += [time.amount / request.minutes] if request.minutes else []
        shares += [gpus.amount / request.gpus] if request.gpus else []
        other = OTHER_TYPE if gpus.amount and gpus.kind != (request.gpu_type or "") else 0.0
        return sum(1 - share for share in shares) + other


def _steps(offer: Offer, name: str, read: Callable[[str], int], most: int) -> list[_Step]:
    steps = [_Step(read(choice.value), choice.value) for choice in offer.choices[name]]
    return sorted((step for step in steps if step.amount <= most), key=lambda step: -step.amount)


def _largest(steps: list[_Step], bound: float) -> _Step | None:
    return next((step for step in steps if step.amount <= bound), None)


def _smaller(
    offer: Offer, raw: Mapping[str, Any], request: Request, snapshot: Snapshot, now: float
) -> Iterator[Suggestion]:
    """Give the smaller requests that could start now, those that give up least first."""
    menus = _Menus(offer, request)
    candidates = {
        candidate
        for room, until in snapshot.openings.rooms(request.reservation, now)
        for candidate in menus.largest_in(room, (until - now) / 60)
    }
    values, _ = offer.clean(raw)
    kept: list[_Candidate] = []
    for candidate in sorted(candidates, key=_Candidate.rank):
        if len(kept) == SUGGESTIONS:
            return
        if any(other.asks_no_less_than(candidate) for other in kept):
            continue
        kept.append(candidate)
        changed = {
            name: step.value
            for name in ("gpus", "memory", "cores", "time")
            for step in [getattr(candidate, name)]
            if step.value != values[name]
        }
        yield Suggestion(changed, tuple(_change(offer, name, values, changed) for name in changed))


def _change(offer: Offer, name: str, values: Mapping[str, str], changed: Mapping[str, str]) -> Text:
    shown = {choice.value: choice.text for choice in offer.choices[name]}
    return say("availability.change", label=LABELS[name], new=shown[changed[name]], old=shown[values[name]])
