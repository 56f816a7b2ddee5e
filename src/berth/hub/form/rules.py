"""What may be chosen together: what nodes with the chosen GPUs have, what account and reservation allow.

The page gets the same rules as data (`Rules.to_dict`), so that `static/form.js` can show them while its user
chooses; what is sent is checked here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from berth.hub.form.policy import Policy
from berth.hub.texts import words
from berth.hub.texts.labels import LABELS, RESOURCES
from berth.hub.texts.text import say
from berth.slurm.answers import qos

if TYPE_CHECKING:
    from collections.abc import Mapping

    from berth.hub.texts.text import Text
    from berth.slurm.free.enforced import Enforced
    from berth.slurm.free.shapes import Shape

ORDER: Final = ("account", "gpus", "cores", "memory", "time")
"""The fields that depend on each other; each on those before it, and on the reservation."""


@dataclass(frozen=True)
class AccountRules:
    """What holds for the jobs of one account."""

    enforced: Enforced
    full: Text | None = None
    """Why Slurm would refuse any request now."""
    notes: Mapping[str, Text] = field(default_factory=dict)
    """Why a request may wait, by field; `""` for any request."""

    def most_gpus(self, gpu_type: str, count: int) -> int | None:
        """Return the limit that so many GPUs of a type are above; None where they are allowed."""
        for kind in sorted(self.enforced.gpu_types() & {"", gpu_type}):
            most = self.enforced.most(f"{qos.GPU}:{kind}" if kind else qos.GPU)
            if most is not None and count > most:
                return most
        return None

    def allows_gpus(self, gpu_type: str, count: int) -> bool:
        """Tell whether Slurm's limits allow so many GPUs of a type."""
        return self.most_gpus(gpu_type, count) is None and count >= self.enforced.least(qos.GPU)


@dataclass(frozen=True)
class ReservationRules:
    """What holds for the jobs in one reservation."""

    accounts: frozenset[str]
    """The accounts of the user that it is for."""
    minutes: int | None
    """Longest time; None for no limit."""
    nodes: frozenset[str] | None
    """The only nodes of its jobs; None for any."""
    note: Text | None = None
    """Why a request in it waits."""


@dataclass(frozen=True)
class Rules:
    """All that limits the choices of one user."""

    shapes: tuple[Shape, ...]
    accounts: Mapping[str, AccountRules]
    reservations: Mapping[str, ReservationRules]
    policy: Policy = field(default_factory=Policy)
    """What the site allows the user's groups."""

    def problem(self, name: str, values: Mapping[str, str]) -> Text | None:
        """Return a sentence when the choice of a field cannot be had together with the others, else None.

        `values` has a choice for every field.
        """
        match name:
            case "account":
                return self._account(values)
            case "gpus":
                return self._gpus(values)
            case "cores" | "memory" | "time":
                return self._amount(name, values)
            case _:
                return None

    def problems(self, values: Mapping[str, str]) -> dict[str, Text]:
        """Return the sentences about all fields that cannot be had together."""
        others = self.possible(values)
        found = {name: self.problem(name, {**others, name: values[name]}) for name in ORDER}
        return {name: sentence for name, sentence in found.items() if sentence is not None}

    def possible(self, values: Mapping[str, str]) -> dict[str, str]:
        """Return the values without GPUs and cores that cannot be had: they say nothing of other fields."""
        found = dict(values)
        for name in ("gpus", "cores"):
            if self.problem(name, found) is not None:
                found[name] = "0"
        return found

    def most(self, name: str, values: Mapping[str, str]) -> int | None:
        """Return the most cores, memory (MiB) or minutes beside the other choices; None for no limit."""
        bounds = [
            bound
            for bound in (self._allowed(name, values), self._possible(name, values))
            if bound is not None
        ]
        return min(bounds, default=None)

    def _enforced(self, values: Mapping[str, str]) -> Enforced:
        return self.accounts[values["account"]].enforced

    def _allowed(self, name: str, values: Mapping[str, str]) -> int | None:
        """Return what Slurm's limits and the site's policy allow."""
        enforced = self._enforced(values)
        most = enforced.minutes if name == "time" else enforced.most(RESOURCES[name])
        return self.policy.lowest(name, most)

    def _possible(self, name: str, values: Mapping[str, str]) -> int | None:
        """Return what some node has, or for times, what the reservation leaves."""
        reservation = self.reservations.get(values["reservation"])
        if name == "time":
            return reservation.minutes if reservation is not None else None
        wanted = int(values["cores"]) if name == "memory" else 0
        fitting = [
            shape.cores if name == "cores" else shape.memory_mib
            for shape in self._reached(values)
            if shape.has_gpus(*words.split_gpus(values["gpus"])) and shape.cores >= wanted
        ]
        return max(fitting, default=0)

    def _reached(self, values: Mapping[str, str]) -> list[Shape]:
        """Return the shapes of the nodes that the chosen reservation leaves."""
        reservation = self.reservations.get(values["reservation"])
        nodes = reservation.nodes if reservation is not None else None
        return [shape for shape in self.shapes if nodes is None or shape.nodes & nodes]

    def _account(self, values: Mapping[str, str]) -> Text | None:
        reservation = self.reservations.get(values["reservation"])
        if reservation is not None and values["account"] not in reservation.accounts:
            return say(
                "form.not_for_account",
                label=LABELS["account"],
                reservation=values["reservation"],
                account=values["account"],
                accounts=", ".join(sorted(reservation.accounts)),
            )
        return self.accounts[values["account"]].full

    def _gpus(self, values: Mapping[str, str]) -> Text | None:
        label, (gpu_type, count) = LABELS["gpus"], words.split_gpus(values["gpus"])
        if not self.policy.allows("gpus", count):
            return self.policy.beyond("gpus")
        enforced = self._enforced(values)
        if not any(shape.has_gpus(gpu_type, count) for shape in self._reached(values)):
            return say(
                "form.gpus_nowhere", label=label, place=self._place(values), gpus=words.gpus(gpu_type, count)
            )
        if count < enforced.least(qos.GPU):
            return say("form.least", label=label, least=enforced.least(qos.GPU))
        most = self.accounts[values["account"]].most_gpus(gpu_type, count)
        return None if most is None else say("form.most_allowed", label=label, most=most)

    def _amount(self, name: str, values: Mapping[str, str]) -> Text | None:
        label, amount = LABELS[name], words.amount_of(name, values[name])
        allowed, possible = self._allowed(name, values), self._possible(name, values)
        if name != "time" and amount < (least := self._enforced(values).least(RESOURCES[name])):
            return say("form.least", label=label, least=words.shown(name, least))
        if possible is not None and amount > possible and (allowed is None or possible <= allowed):
            if name == "time":
                most = words.shown(name, possible)
                return say("form.most_reserved", label=label, most=most, reservation=values["reservation"])
            return say(
                "form.most_possible",
                label=label,
                most=words.shown(name, possible),
                place=self._place(values, name),
            )
        if not self.policy.allows(name, amount) and allowed == self.policy.most[name]:
            return self.policy.beyond(name)
        if allowed is not None and amount > allowed:
            return say("form.most_allowed", label=label, most=words.shown(name, allowed))
        return None

    def _place(self, values: Mapping[str, str], name: str = "") -> Text:
        """Return the nodes that a sentence is about."""
        place = say("form.no_node")
        if values["reservation"]:
            place = say("form.no_node_reserved", reservation=values["reservation"])
        gpu_type, count = words.split_gpus(values["gpus"])
        if name and count:
            place = say("form.place_with", place=place, what=words.gpus(gpu_type, count))
        if name == "memory" and self._possible(name, values) != self._possible(
            name, {**values, "cores": "0"}
        ):
            place = say("form.place_with", place=place, what=say("form.cores", count=int(values["cores"])))
        return place

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types for the page, texts in the language of the request."""
        return {
            "shapes": [
                {
                    "cores": shape.cores,
                    "memory": shape.memory_mib,
                    "gpus": shape.gpus,
                    "reservations": [
                        name
                        for name, item in self.reservations.items()
                        if item.nodes is None or item.nodes & shape.nodes
                    ],
                }
                for shape in self.shapes
            ],
            "accounts": {name: _account_data(item, self.policy) for name, item in self.accounts.items()},
            "reservations": {
                name: {
                    "accounts": sorted(item.accounts),
                    "time": _time_data(item.minutes),
                    "note": str(item.note) if item.note else "",
                }
                for name, item in self.reservations.items()
            },
        }


def _account_data(item: AccountRules, policy: Policy) -> dict[str, Any]:
    enforced = item.enforced
    gpus = {kind: enforced.most(f"{qos.GPU}:{kind}" if kind else qos.GPU) for kind in enforced.gpu_types()}
    if (most := policy.lowest("gpus", gpus.get(""))) is not None:
        gpus[""] = most
    return {
        "time": _time_data(policy.lowest("time", enforced.minutes)),
        "cores": policy.lowest("cores", enforced.most(qos.CPU)),
        "memory": policy.lowest("memory", enforced.most(qos.MEMORY)),
        "gpus": dict(sorted(gpus.items())),
        "least": {name: enforced.least(what) for name, what in RESOURCES.items()},
        "notes": {name: str(note) for name, note in item.notes.items()},
    }


def _time_data(minutes: int | None) -> dict[str, Any] | None:
    return None if minutes is None else {"most": minutes, "text": str(words.duration(minutes))}
