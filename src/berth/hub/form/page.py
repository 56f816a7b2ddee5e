"""Renders the form: server-side, complete without JavaScript, everything escaped by the template engine."""

from __future__ import annotations

import json
import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from berth.hub import assets
from berth.hub.form import advice, availability
from berth.hub.form.options import OptionsError
from berth.hub.operate import gate
from berth.hub.texts import words
from berth.hub.texts.labels import LABELS
from berth.hub.texts.text import say
from berth.slurm.answers import qos

if TYPE_CHECKING:
    from collections.abc import Mapping

    from berth.hub.form.advice import Advice
    from berth.hub.form.options import Offer
    from berth.hub.form.rules import Rules
    from berth.hub.service import Service
    from berth.hub.texts.text import Text

GROUPS: Final = (
    (say("form.group_charge"), ("reservation", "account")),
    (say("form.group_resources"), ("cores", "memory", "gpus", "time")),
    (say("form.group_software"), ("release", "interface")),
)
"""The fields in the order of the form, with the heading that they stand under."""
AMOUNTS: Final = ("cores", "memory", "gpus", "time")
"""The fields whose choices are quantities."""

reader: ContextVar[str] = ContextVar("berth_reader", default="")
"""Who opened the page that is being answered; set by `berth.hub.handlers.spawn`."""

_templates = assets.engine()


@dataclass(frozen=True)
class Page:
    """What one showing of the form says besides the choices."""

    values: Mapping[str, str]
    """Chosen at first."""
    problems: Mapping[str, Text] = field(default_factory=dict)
    """Why what was sent is refused, by field."""
    notes: Mapping[str, Text] = field(default_factory=dict)
    """Why something else is chosen than what was asked for, by field."""
    last_end: Text | None = None
    """Why the user's last session ended; empty: nothing to say."""
    estimate: Text | str = ""
    """When Slurm would start what was asked about; empty: nobody asked."""
    base_url: str = "/hub/"
    own: bool = True
    """Whether its user reads it. For others there is no advice and no estimate, which judge whoever asks."""
    closed: Text | None = None
    """Why it is not to be filled in; None: it is."""
    exception: Text | None = None
    """Why its reader can start what others cannot."""
    user: str = ""
    """Whose form it is: what that user runs already counts for the advice."""


def render(service: Service, offer: Offer, page: Page) -> str:
    """Return the HTML inside the form."""
    account = offer.rules.accounts.get(page.values["account"])
    now = time.time()
    reservation = page.values["reservation"] if page.own else ""
    table = availability.table(service.collector.snapshot, reservation or None)
    return _templates.get_template("form.html").render(
        labels=LABELS,
        groups=GROUPS,
        offer=offer,
        page=page,
        fields={name: _field(offer, page, name) for name in LABELS} if offer.missing is None else {},
        data=json.dumps(_data(offer)) if offer.missing is None else "",
        waits=account.notes.get("", "") if account is not None else "",
        table=table,
        advice=_advice(service, offer, page, now),
        age=availability.age(table.age_seconds(now)),
        most=availability.most,
        now=now,
        help=service.form.links.help_url(),
    )


def _advice(service: Service, offer: Offer, page: Page, now: float) -> Advice | None:
    """Return whether what is chosen at first could start now; None: not asked, or not on offer."""
    if not page.own or offer.missing is not None or page.closed is not None:
        return None
    try:
        found = advice.advise(page.user, offer, page.values, service.collector.snapshot, now)
        return advice.with_hint(
            found, gate.reaches_into(service.board, words.amount_of("time", page.values["time"]))
        )
    except OptionsError:
        return None


def _field(offer: Offer, page: Page, name: str) -> dict[str, Any]:
    """Return what a field shows: its menu, its limit under the values that are chosen, what makes it wait."""
    account = offer.rules.accounts.get(page.values["account"])
    reservation = offer.rules.reservations.get(page.values["reservation"])
    waits = account.notes.get(name) if account is not None else None
    if name == "reservation" and reservation is not None:
        waits = reservation.note
    return {
        "choices": [
            {
                "value": choice.value,
                "text": choice.text,
                "amount": words.amount_of(name, choice.value) if name in AMOUNTS else None,
            }
            for choice in offer.choices[name]
        ],
        "limit": _limit(offer, offer.rules.possible(page.values), name),
        "default": offer.text(name, offer.defaults[name]),
        "waits": waits or "",
    }


def _limit(offer: Offer, values: Mapping[str, str], name: str) -> Text | str:
    if name not in AMOUNTS:
        return ""
    if name == "gpus":
        fitting = (item.value for item in offer.choices[name])
        counts = [
            words.amount_of(name, value)
            for value in fitting
            if offer.rules.problem(name, {**values, name: value}) is None
        ]
        most: int | None = max(counts, default=0)
    else:
        most = offer.rules.most(name, values)
    return "" if most is None else say("form.limit", most=words.shown(name, most))


def _data(offer: Offer) -> dict[str, Any]:
    """Return what `static/form.js` needs: the rules, and its sentences."""
    return {
        **offer.rules.to_dict(),
        "defaults": dict(offer.defaults),
        "sizes": {most: str(words.shown("memory", most)) for most in sorted(_most_memory(offer.rules))},
        "texts": {
            "limit": str(say("form.limit", most="{most}")),
            "moved": str(say("form.moved", label="{label}", choice="{choice}")),
            "filled": str(say("form.link_filled")),
            "unknown": str(say("form.no_choice", label="{label}", value="{value}")),
        },
    }


def _most_memory(rules: Rules) -> set[int]:
    """Return every size (MiB) that may be the most memory, for the script to show in the same words."""
    allowed = {item.enforced.most(qos.MEMORY) for item in rules.accounts.values()}
    allowed.add(rules.policy.most.get("memory"))
    return {0, *(shape.memory_mib for shape in rules.shapes), *(most for most in allowed if most is not None)}
