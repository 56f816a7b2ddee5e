"""What one user may choose from at one moment, computed from settings, snapshot and catalogue."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from berth.hub.form import policy as policies
from berth.hub.form.options import NO_ACCOUNT, NO_RESERVATION, Choice, Offer
from berth.hub.form.rights import account_rules, accounts_of, obstacle, reservation_rules
from berth.hub.form.rules import Rules
from berth.hub.texts import words
from berth.hub.texts.labels import LABELS, RESOURCES
from berth.hub.texts.text import say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from berth.hub.collector.snapshot import Snapshot
    from berth.hub.settings import FormSettings
    from berth.hub.texts.text import Text
    from berth.releases.catalogue import Release
    from berth.slurm.answers.records import Association, Reservation


NAMED: Final = 3
"""How many environments the menu of releases names; all of them stand under it."""


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
    today = words.day(now)
    policy = policies.of(person.groups, settings.group_limits)
    withheld = {item.name: _withheld(item) for item in releases if not item.offered(today)}
    withheld |= {
        item.name: policy.unseen(item.name)
        for item in releases
        if item.offered(today) and not policy.shows(item.name)
    }
    offered = tuple(release for release in releases if release.name not in withheld)
    accounts = accounts_of(person.name, snapshot)
    reservations = reservation_rules(person.name, person.groups, snapshot, accounts, now)
    rules = Rules(
        shapes=snapshot.shapes,
        accounts={name: account_rules(person.name, snapshot, item) for name, item in accounts.items()},
        reservations={item.name: rule for item, rule in reservations},
        policy=policy,
    )
    gpus = _gpus(rules, settings)
    choices = {
        "reservation": _reservations([item for item, _ in reservations], now),
        "account": tuple(Choice(name, name or _no_account(snapshot)) for name in accounts),
        "cores": tuple(
            Choice(str(n), str(n)) for n in settings.cores.choices if n > 0 and _any(rules, "cores", n)
        ),
        "memory": tuple(
            Choice(text, words.size(amount))
            for text in settings.memory.choices
            if _any(rules, "memory", amount := words.amount_of("memory", text))
        ),
        "gpus": tuple(item for item in gpus if policy.allows("gpus", words.amount_of("gpus", item.value))),
        "time": tuple(
            Choice(text, words.duration(amount))
            for text in settings.time.choices
            if _any(rules, "time", amount := words.amount_of("time", text))
        ),
        "release": tuple(Choice(item.name, release_text(item)) for item in offered),
        "interface": tuple(Choice(item.name, item.title) for item in settings.interfaces),
    }
    wanted = {
        "cores": str(settings.cores.default),
        "memory": settings.memory.default,
        "gpus": str(settings.gpus.default),
        "time": settings.time.default,
    }
    offer = Offer(
        choices=choices,
        defaults={name: _default(entries, wanted.get(name, "")) for name, entries in choices.items()},
        releases=offered,
        withheld={
            "release": withheld,
            "cores": policy.withheld("cores", map(str, settings.cores.choices)),
            "memory": policy.withheld("memory", settings.memory.choices),
            "gpus": policy.withheld("gpus", [item.value for item in gpus]),
            "time": policy.withheld("time", settings.time.choices),
        },
        hints={name: policy.hint(name, hint) for name, hint in _hints(snapshot, accounts).items()},
        rules=rules,
        missing=obstacle(person.name, person.groups, snapshot) or _nothing(choices, releases),
    )
    return offer if offer.missing else replace(offer, defaults=offer.settled(offer.defaults)[0])


def _nothing(choices: Mapping[str, Sequence[Choice]], releases: Sequence[Release]) -> Text | None:
    """Return a sentence when a field has no choice at all, else None: then there is no form."""
    if not choices["release"]:
        return say("form.none_offered" if releases else "form.no_release")
    return next(
        (
            say("form.nothing", label=LABELS[name], setting=f"spawner_form_{name}")
            for name, entries in choices.items()
            if not entries
        ),
        None,
    )


def _default(entries: Sequence[Choice], wanted: str) -> str:
    """Return the wanted entry; for GPUs the first one of that count; else the first entry."""
    for entry in entries:
        if entry.value == wanted or entry.value.rpartition(":")[2] == wanted:
            return entry.value
    return entries[0].value if entries else ""


def _any(rules: Rules, name: str, amount: int) -> bool:
    """Tell whether some node has so much, and some account and the site's policy allow it."""
    if not rules.policy.allows(name, amount):
        return False
    resource = RESOURCES.get(name)
    allowed = [
        item.enforced.most(resource) if resource else item.enforced.minutes
        for item in rules.accounts.values()
    ]
    if not any(limit is None or amount <= limit for limit in allowed or [None]):
        return False
    has = [shape.cores if name == "cores" else shape.memory_mib for shape in rules.shapes]
    return name == "time" or not has or amount <= max(has)


def _gpus(rules: Rules, settings: FormSettings) -> tuple[Choice, ...]:
    """One entry for each type and count that one node can give: `0`, `a100:1`, `:1` (no type)."""
    most: dict[str, int] = {}
    for shape in rules.shapes:
        for gpu_type, count in shape.gpus.items():
            most[gpu_type] = max(most.get(gpu_type, 0), count)
    entries = [("", 0)] if 0 in settings.gpus.choices else []
    entries += [
        (kind, n) for kind, count in sorted(most.items()) for n in settings.gpus.choices if 0 < n <= count
    ]
    return tuple(
        Choice(f"{kind}:{count}" if count else "0", words.gpus(kind, count))
        for kind, count in entries
        if not rules.accounts or any(item.allows_gpus(kind, count) for item in rules.accounts.values())
    )


def _no_account(snapshot: Snapshot) -> Text:
    accounting = snapshot.controller is not None and snapshot.controller.accounting
    return say("form.none") if accounting else say("form.none_inactive")


def _hints(snapshot: Snapshot, accounts: Mapping[str, Association | None]) -> dict[str, Text]:
    shared = (
        say("form.hint_shared", users=snapshot.shared_by)
        if snapshot.shared_by > 1
        else say("form.hint_alone")
    )
    charge = say("form.hint_account")
    if snapshot.controller is not None and not snapshot.controller.accounting:
        charge = say("form.hint_inactive")
    elif NO_ACCOUNT in accounts:
        charge = say("form.hint_uncharged")
    return {
        "reservation": say("form.hint_reservation"),
        "account": charge,
        "cores": shared,
        "memory": say("form.hint_memory"),
        "gpus": say("form.hint_gpus"),
        "time": say("form.hint_time"),
        "release": say("form.hint_release"),
        "interface": say("form.hint_interface"),
    }


def release_text(release: Release) -> Text | str:
    """Return a release with what is inside it, and with its last day if it has one."""
    names = [environment.display_name for environment in release.environments]
    inside: Text | str = ", ".join(names[:NAMED])
    if len(names) > NAMED:
        inside = say("form.and_more", count=len(names) - NAMED, names=inside)
    if release.ends is None:
        return say("form.release", name=release.name, inside=inside)
    return say("form.release_until", name=release.name, inside=inside, date=release.ends.isoformat())


def _withheld(release: Release) -> Text:
    """Say why a release that is installed cannot be chosen."""
    if release.hidden or release.ends is None:
        return say("form.release_hidden", label=LABELS["release"], name=release.name)
    ends = release.ends.isoformat()
    return say("form.release_ended", label=LABELS["release"], name=release.name, date=ends)


def _reservations(reservations: Sequence[Reservation], now: float) -> tuple[Choice, ...]:
    entries = (Choice(item.name, _reservation_text(item, now)) for item in reservations)
    return (Choice(NO_RESERVATION, say("form.no_reservation")), *entries)


def _reservation_text(reservation: Reservation, now: float) -> Text | str:
    """Return a reservation with its start when it is still to come: the time too, as a page may stay open."""
    if reservation.start <= now:
        return reservation.name
    moment, wait = words.moment(reservation.start, now), words.until(reservation.start - now)
    return say("form.reservation_later", name=reservation.name, moment=moment, wait=wait)
