"""Shapes: what is required, types, and keys, as the roles' argument specifications say.

Stricter than Ansible, which takes `"5"` for a number and an unquoted `12:00:00` for a text: the roles use the
values as they are, so a value has to be of its type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from berth.inventory.mistakes import Mistake, Path, nearest
from berth.inventory.site import Uncomputed, View

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from berth.inventory.roles import Role

_WORDS = {
    "str": "text",
    "path": "an absolute path",
    "int": "a whole number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a mapping",
}
_FIXES = {
    "path": "Write a path from the first slash on",
    "int": "Write the number, without quotes",
    "bool": "Write true or false, without quotes",
    "list": "Write a list, such as [one, two]",
    "dict": "Write a mapping, such as {key: value}",
}


def mistakes(view: View, role: Role) -> Iterator[Mistake]:
    """Find variables of *role* that are missing or of the wrong shape on one host."""
    for name, option in role.options.items():
        if view.given(name):
            yield from _checked(view, (name,), option, view.host.values[name])
        elif option.get("required"):
            description = str(option["description"]).rstrip(".")
            yield view.mistake((name,), f"{name} is not set", f"Set it: {description}")


def _checked(view: View, path: Path, option: Mapping[str, Any], value: object) -> Iterator[Mistake]:
    kind = str(option.get("type", "str"))
    if isinstance(value, Uncomputed):
        if not value.reason:
            return
        fix = "Correct the name between the braces, or define it"
        yield view.mistake(path, f"{_shown(path)} cannot be computed: {value.reason}", fix)
    elif value is None and "default" not in option and not option.get("required"):
        return
    elif not _fits(kind, value, option):
        yield view.mistake(
            path, f"{_shown(path)} is {_said(value)}, not {_WORDS[kind]}", _fix(option, path, value)
        )
    elif "choices" in option and value not in option["choices"]:
        choices = ", ".join(map(str, option["choices"]))
        yield view.mistake(path, f"{_shown(path)} is {_said(value)}", f"Write one of {choices}")
    elif isinstance(value, list):
        inner = {"type": option.get("elements", "raw"), "required": True, "options": option.get("options")}
        for number, item in enumerate(value):
            yield from _checked(view, (*path, number), inner, item)
    elif isinstance(value, dict):
        if option.get("options"):
            yield from _keys(view, path, option["options"], value)
        yield from _uncomputed(view, path, value)


def _keys(
    view: View, path: Path, options: Mapping[str, Mapping[str, Any]], value: Mapping[str, object]
) -> Iterator[Mistake]:
    """Check the keys of a mapping that are described one by one."""
    for key in value:
        if key not in options:
            near = nearest(key, options)
            known = f"Write {near}" if near else f"Known are {', '.join(options)}"
            yield view.mistake((*path, key), f"{_shown(path)}: unknown key {key}", known)
    for key, option in options.items():
        if key in value:
            yield from _checked(view, (*path, key), option, value[key])
        elif option.get("required"):
            yield view.mistake(path, f"{_shown(path)} has no {key}", f"Add it: {option['description']}")


def _uncomputed(view: View, path: Path, value: Mapping[str, object]) -> Iterator[Mistake]:
    """Find failed templates where nothing else is known of a mapping's content."""
    for key, item in value.items():
        if isinstance(item, Uncomputed):
            yield from _checked(view, (*path, key), {}, item)


def _fits(kind: str, value: object, option: Mapping[str, Any]) -> bool:
    if kind == "raw":
        return True
    if kind == "path":
        return isinstance(value, str) and (value.startswith("/") or value == option.get("default") == "")
    if kind == "int":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, {"str": str, "bool": bool, "list": list, "dict": dict}[kind])


def _shown(path: Path) -> str:
    """Write a path as `slurm_cluster_users[0].accounts`, positions from 0 as in Jinja."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path[1:])
    return f"{path[0]}{''.join(parts)}"


def _said(value: object) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text {value[:60]!r}"
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a mapping"
    return f"the {type(value).__name__} {value}"


def _fix(option: Mapping[str, Any], path: Path, value: object) -> str:
    kind = str(option.get("type", "str"))
    if value is None:
        return "Write a value, or take the line out"
    if kind == "list" and isinstance(value, str):
        return f"Write a list: [{value}]"
    if kind != "str":
        return _FIXES[kind]
    if isinstance(value, int) and not isinstance(value, bool) and any("time" in str(part) for part in path):
        minutes, seconds = divmod(value, 60)
        written = f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
        return (
            f'Quote the time, of which YAML makes a number: "{written}" (or "{value}", if minutes were meant)'
        )
    return f'Put it in quotes, such as "{option["default"]}"' if option.get("default") else "Put it in quotes"
