"""The form: choices that the hub refuses, that no node can serve, or that the partition does not allow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from berth.inventory.nodes import Size, sizes
from berth.inventory.partition import MAX_TIME
from berth.inventory.reading import meaning, sentences
from berth.inventory.site import Unknown
from berth.slurm.errors import SlurmValueError
from berth.slurm.notation import units

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from berth.inventory.mistakes import Mistake
    from berth.inventory.site import View

_READ: dict[str, Callable[[str], int | None]] = {
    "spawner_form_memory": units.mebibytes,
    "spawner_form_time": units.minutes,
}
_LOWEST = {"spawner_form_cores": 1, "spawner_form_memory": 1, "spawner_form_gpus": 0, "spawner_form_time": 1}
_WORDS = {"spawner_form_cores": "cores", "spawner_form_memory": "memory", "spawner_form_gpus": "GPUs"}
_LIMITS = "slurm_interactive_limits"
_LIMITED = {
    "cores_per_user": "spawner_form_cores",
    "memory_per_user": "spawner_form_memory",
    "gpus_per_user": "spawner_form_gpus",
    "max_time": "spawner_form_time",
}
_MEASURES: dict[str, Callable[[Size], int]] = {
    "spawner_form_cores": lambda size: size.cpus,
    "spawner_form_memory": lambda size: size.memory,
    "spawner_form_gpus": lambda size: size.gpus,
}


def choices(view: View) -> Iterator[Mistake]:
    """Find choices that mean nothing, are out of order or lack the default."""
    for name in _LOWEST:
        field = view.mapping(name)
        offered = field.get("choices")
        if not isinstance(offered, list):
            continue  # its shape is reported
        if not offered:
            yield view.mistake((name, "choices"), f"{name} offers nothing", "Write at least one choice")
        elif "default" in field and field["default"] not in offered:
            fix = f"Write one of {', '.join(map(str, offered))}"
            yield view.mistake((name, "default"), f"{name}: the default {field['default']} is no choice", fix)
        yield from _meaningless(view, name, offered)
        values = [value for _, _, value in _understood(view, name)]
        if len(values) == len(offered) and values != sorted(set(values)):
            yield view.mistake(
                (name, "choices"), f"{name}: the choices do not rise", "Write each once, the smallest first"
            )


def served(view: View) -> Iterator[Mistake]:
    """Find choices that no node can serve: their sessions could never start."""
    nodes = sizes(view)
    for name, measure in _MEASURES.items():
        largest = max((measure(node) for node in nodes), default=None)
        for number, choice, value in _understood(view, name):
            if largest is not None and value > largest:
                most = units.format_mebibytes(largest) if name == "spawner_form_memory" else largest
                problem = f"{name} offers {choice} {_WORDS[name]}, but the largest node has {most}"
                yield view.mistake((name, "choices", number), problem, f"Take {choice} out of the choices")


def together(view: View) -> Iterator[Mistake]:
    """Find defaults that no single node can serve together: the form would fail as it is first shown."""
    wanted: dict[str, int] = {}
    for name in _MEASURES:
        default = view.mapping(name).get("default")
        for _, choice, value in _understood(view, name):
            if choice == default:
                wanted[name] = value
    nodes = sizes(view)
    if not nodes or len(wanted) < len(_MEASURES):
        return
    largest = {name: max(measure(node) for node in nodes) for name, measure in _MEASURES.items()}
    if any(value > largest[name] for name, value in wanted.items()):
        return  # reported as a choice
    if not any(all(_MEASURES[name](node) >= value for name, value in wanted.items()) for node in nodes):
        said = ", ".join(f"{_WORDS[name]} {view.mapping(name)['default']}" for name in wanted)
        name = "spawner_form_cores"
        yield view.mistake(
            (name, "default"),
            f"no node has all that the form asks for at first: {said}",
            "Write smaller defaults",
        )


def allowed(view: View) -> Iterator[Mistake]:
    """Find times that never end, or that the partition does not allow."""
    name = "spawner_form_time"
    for number, choice, value in _understood(view, name, _NEVER):
        path = (name, "choices", number)
        if value == _NEVER:
            yield view.mistake(
                path, f"{name} offers {choice}, which never ends", 'Write a time such as "08:00:00"'
            )
    limit = meaning(view, MAX_TIME, units.minutes)
    for number, choice, value in _understood(view, name):
        if limit is not None and value > limit:
            problem = (
                f"{name} offers {choice}, but {MAX_TIME} is {view.text(MAX_TIME)} ({view.place(MAX_TIME)})"
            )
            yield view.mistake((name, "choices", number), problem, f"Take {choice} out, or raise the limit")


def limits(view: View) -> Iterator[Mistake]:
    """Find choices above the limits of one user: Slurm would refuse them, or let them wait forever."""
    given = view.mapping(_LIMITS)
    for key, name in _LIMITED.items():
        limit = given.get(key)
        try:
            most = _READ[name](limit) if name in _READ and isinstance(limit, str) else limit
        except SlurmValueError:
            continue  # the role that sets the limit reads it
        for number, choice, value in _understood(view, name):
            if isinstance(most, int) and value > most:
                problem = f"{name} offers {choice}, but a user may have {limit} ({_LIMITS}.{key})"
                fix = f"Take {choice} out, or raise the limit"
                yield view.mistake((name, "choices", number), problem, fix)


def partition(view: View) -> Iterator[Mistake]:
    """Find that the hub submits to another partition than the one that is configured."""
    mine, theirs = view.text("hub_partition"), view.text("slurm_interactive_partition")
    if mine != theirs:
        path = ("hub_partition",) if view.given("hub_partition") else ("slurm_interactive_partition",)
        problem = f"hub_partition is {mine}, but slurm_interactive_partition is {theirs}"
        yield view.mistake(path, problem, f"Set hub_partition: {theirs}")


def interfaces(view: View) -> Iterator[Mistake]:
    """Find interfaces that the hub would refuse."""
    name, seen = "spawner_form_interfaces", set()
    if not view.entries(name):
        yield view.mistake((name,), f"{name} offers nothing", "Write at least one interface")
    for number, entry in enumerate(view.entries(name)):
        if not isinstance(entry, dict):
            continue
        short, url = str(entry.get("name", "lab")), str(entry.get("url", "/"))
        if re.fullmatch("[a-z][a-z0-9-]*", short) is None:
            fix = "Write lower-case letters, digits and hyphens, a letter first"
            yield view.mistake((name, number, "name"), f"{name}: {short!r} is not a short name", fix)
        if not url.startswith("/"):
            yield view.mistake(
                (name, number, "url"),
                f"{name}: the url {url!r} is not a path inside the session",
                f"Write /{url}",
            )
        if short in seen:
            yield view.mistake((name, number, "name"), f"{name} has {short} twice", "Give each its own name")
        seen.add(short)


def links(view: View) -> Iterator[Mistake]:
    """Find links that lead nowhere, or hold places that are never filled."""
    name = "spawner_form_links"
    given = view.mapping(name)
    urls: list[tuple[tuple[str | int, ...], object]] = [
        ((name, key), url) for key, url in given.items() if key != "more"
    ]
    more = given.get("more")
    for number, entry in enumerate(more if isinstance(more, list) else []):
        if isinstance(entry, dict):
            urls.append(((name, "more", number, "url"), entry.get("url")))
    for path, url in urls:
        if not isinstance(url, str):
            continue  # its shape is reported
        if not _leads(url):
            fix = "Write https://name/path or mailto:name@host"
            yield view.mistake(path, f"{name}: {url!r} is not an address", fix)
        places = set(re.findall(r"\{(.*?)\}", url)) - (_PLACES if path[-1] == "help" else set())
        for place in sorted(places):
            fix = "Take it out, or write {job_id} or {reason} in the link for help"
            yield view.mistake(path, f"{name}: {{{place}}} is filled with nothing", fix)


_PLACES = {"job_id", "reason"}


def _leads(url: str) -> bool:
    parts = urlsplit(url)
    web = parts.scheme in {"http", "https"} and bool(parts.netloc)
    return (web or (parts.scheme == "mailto" and "@" in parts.path)) and " " not in url and url.isprintable()


_NEVER = -1


def _meaningless(view: View, name: str, offered: list[object]) -> Iterator[Mistake]:
    """Find single choices that are not in Slurm's notation, or too small."""
    for number, choice in enumerate(offered):
        path = (name, "choices", number)
        if name in _READ and isinstance(choice, str):
            try:
                _READ[name](choice)
            except SlurmValueError as error:
                yield view.mistake(path, f"{name}: {sentences(error)[0]}", sentences(error)[1])
    for number, choice, value in _understood(view, name):
        if value < _LOWEST[name]:
            yield view.mistake(
                (name, "choices", number), f"{name} offers {choice}", f"Write {_LOWEST[name]} or more"
            )


def _understood(view: View, name: str, never: int | None = None) -> Iterator[tuple[int, object, int]]:
    """Yield position, choice and its meaning; *never* stands for a time without an end."""
    offered = view.mapping(name).get("choices")
    if not isinstance(offered, list):
        raise Unknown(name)
    for number, choice in enumerate(offered):
        try:
            value = _READ[name](choice) if name in _READ else choice
        except SlurmValueError:
            continue
        value = never if value is None else value
        if isinstance(value, int) and not isinstance(value, bool):
            yield number, choice, value
