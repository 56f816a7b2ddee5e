"""Who may sign in and what groups may ask for: settings that would keep everybody out, or let too many in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from berth.inventory.mistakes import nearest
from berth.inventory.reading import sentences
from berth.inventory.site import Unknown
from berth.slurm.errors import SlurmValueError
from berth.slurm.notation import units

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from berth.inventory.mistakes import Mistake
    from berth.inventory.site import View

_OIDC = "hub_oidc"
_SECRET = "hub_oidc_client_secret"  # noqa: S105 - its name
_LIMITS = "spawner_form_group_limits"
_READ: dict[str, Callable[[str], int | None]] = {"memory": units.mebibytes, "time": units.minutes}
_FIELDS = ("cores", "memory", "gpus", "time")


def provider(view: View) -> Iterator[Mistake]:
    """Find a provider at which nobody could sign in."""
    given = view.mapping(_OIDC)
    if not given:
        if view.value(_SECRET):
            yield view.mistake((_SECRET,), f"{_SECRET} is set, but {_OIDC} is not", "Set both, or neither")
        return
    for key, what in (("issuer", "the provider's address"), ("client_id", "the hub's name there")):
        if not given.get(key):
            yield view.mistake((_OIDC,), f"{_OIDC} has no {key}", f"Add {key}, {what}")
    if not view.value(_SECRET):
        fix = f"Set {_SECRET} in the vault, to what the provider gave"
        yield view.mistake((_OIDC,), f"{_OIDC} is set, but {_SECRET} is not", fix)
    issuer = given.get("issuer")
    if isinstance(issuer, str) and issuer:
        parts = urlsplit(issuer)
        if parts.scheme != "https" or not parts.netloc or parts.query or parts.fragment:
            fix = "Write it as the provider does: https, and nothing after a question mark"
            yield view.mistake((_OIDC, "issuer"), f"{_OIDC}: {issuer!r} is no issuer", fix)
    scopes = given.get("scopes")
    if isinstance(scopes, list) and "openid" not in scopes:
        yield view.mistake((_OIDC, "scopes"), f"{_OIDC}: the scopes lack openid", "Add openid to them")


def mapping(view: View) -> Iterator[Mistake]:
    """Find that people cannot be mapped to accounts, or not in the way that is meant."""
    given = view.mapping(_OIDC)
    pattern = given.get("pattern")
    if isinstance(pattern, str):
        try:
            groups = re.compile(pattern).groups
        except re.error as error:
            fix = "Write one such as ([a-z0-9]+)@example\\.org, in single quotes"
            yield view.mistake((_OIDC, "pattern"), f"{_OIDC}: the pattern cannot be read: {error}", fix)
        else:
            if groups != 1:
                problem = f"{_OIDC}: the pattern has {groups} pairs of parentheses"
                fix = "Put one pair around what is the account; (?:…) is none"
                yield view.mistake((_OIDC, "pattern"), problem, fix)
    if pattern and given.get("accounts_file"):
        problem = f"{_OIDC} has both pattern and accounts_file"
        yield view.mistake((_OIDC, "accounts_file"), problem, "Take one of them out")


def group_limits(view: View) -> Iterator[Mistake]:
    """Find rules for groups that say the same group twice, cannot be read, or leave nothing to choose."""
    seen: set[object] = set()
    for number, rule in enumerate(view.entries(_LIMITS)):
        if not isinstance(rule, dict):
            continue  # its shape is reported
        group = rule.get("group")
        if group in seen:
            fix = "Put all of its limits into one rule"
            yield view.mistake((_LIMITS, number, "group"), f"{_LIMITS} has {group} twice", fix)
        seen.add(group)
        for name in _FIELDS:
            if name in rule:
                yield from _most(view, number, name, rule[name])
        yield from _releases(view, number, rule.get("releases"))


def _most(view: View, number: int, name: str, given: object) -> Iterator[Mistake]:
    path = (_LIMITS, number, name)
    try:
        most = _READ[name](given) if name in _READ and isinstance(given, str) else given
    except SlurmValueError as error:
        yield view.mistake(path, f"{_LIMITS}: {sentences(error)[0]}", sentences(error)[1])
        return
    if not isinstance(most, int):
        if most is None:
            problem = f"{_LIMITS}: {given} is no limit"
            yield view.mistake(path, problem, f"Leave {name} out for no limit")
        return
    field = f"spawner_form_{name}"
    offered = view.mapping(field).get("choices")
    if not isinstance(offered, list):
        raise Unknown(field)
    if not any(_amount(name, choice) <= most for choice in offered):
        problem = f"{_LIMITS}: no choice of {field} is {given} or less, so nothing could be started"
        yield view.mistake(path, problem, f"Raise it, or add a smaller choice to {field}")


def _amount(name: str, choice: object) -> int:
    """Return a choice as a number; one that cannot be read, or never ends, is reported elsewhere."""
    try:
        read = _READ[name](choice) if name in _READ and isinstance(choice, str) else choice
    except SlurmValueError:
        return 0
    return read if isinstance(read, int) else 0


def _releases(view: View, number: int, names: object) -> Iterator[Mistake]:
    published = [str(name) for name in view.entries("releases_published")]
    for position, name in enumerate(names if isinstance(names, list) else ()):
        if isinstance(name, str) and name not in published:
            near = nearest(name, published)
            fix = f"Write {near}" if near else f"Write one of {', '.join(published)}"
            problem = f"{_LIMITS}: release {name} is not published"
            yield view.mistake((_LIMITS, number, "releases", position), problem, fix)
