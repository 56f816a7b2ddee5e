"""Ansible's door to :mod:`berth.inventory`: reads the inventory of a run, and says what is wrong in it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError, AnsibleParserError
from ansible.plugins.lookup import LookupBase
from jinja2 import Undefined

# A bare clone must work: Ansible loads this file by its path, nothing is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from berth.inventory import check, roles
from berth.inventory.mistakes import Mistake
from berth.inventory.site import Host, Site, Uncomputed

DOCUMENTATION = """
name: inventory_mistakes
short_description: Find what is wrong in the inventory of this run
description:
  - Checks the variables of all hosts against the argument specifications of the roles, against each
    other, and against the releases of this repository. Reaches no host.
  - Takes no terms.
options: {}
"""
EXAMPLES = """
- name: Inventory | Show what is wrong in it
  ansible.builtin.debug:
    msg: "{{ query('inventory_mistakes') }}"
"""
RETURN = """
_raw:
  description: A line for each mistake, with its file, its line where that is known, and the fix.
  type: list
  elements: str
"""

ROOT = Path(__file__).resolve().parents[1]
_Places = dict[tuple[Any, ...], str]

try:
    # Knows the file and line of a value. No public way leads there (ansible-core 2.19 to 2.21); without it,
    # messages name the file where a variable belongs.
    _ORIGIN: Any = importlib.import_module("ansible._internal._datatag._tags").Origin
except (ImportError, AttributeError):
    _ORIGIN = None


class LookupModule(LookupBase):  # type: ignore[misc] # the untyped class that Ansible wants
    """What Ansible looks for in a file of lookups."""

    def run(self, terms: list[Any], variables: Mapping[str, Any], **kwargs: Any) -> list[str]:  # noqa: ANN401, ARG002 - Ansible's signature
        """Return a line for each mistake."""
        try:
            site = _Reader(variables).site()
        except AnsibleParserError as error:
            return [str(_unreadable(error))]
        return [str(mistake) for mistake in check.mistakes(site)]


class _Reader:
    """Reads what Ansible knows; values that hosts share stay shared, because big sites have many hosts."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self._variables = variables
        self._roles = roles.load(ROOT)
        self._shared: dict[int, tuple[object, object, _Places]] = {}

    def site(self) -> Site:
        directory, hosts_file = _inventory(self._variables)
        groups = {str(name): tuple(map(str, hosts)) for name, hosts in self._variables["groups"].items()}
        return Site(
            directory=_shown(directory),
            hosts_file=_shown(hosts_file),
            hosts={name: self._host(name) for name in groups["all"]},
            groups=groups,
            roles=self._roles,
            lines=_lines(hosts_file),
            variable_files=tuple(
                f"{kind}/{path.name}"
                for kind in ("group_vars", "host_vars")
                for path in sorted((directory / kind).glob("[!.]*"))
                if path.is_dir() or path.suffix in {".yml", ".yaml"}
            ),
        )

    def _host(self, name: str) -> Host:
        hostvars = self._variables["hostvars"]
        raw, computed = hostvars.raw_get(name), hostvars[name]
        values: dict[str, object] = {}
        places: _Places = {}
        known = {option for role in self._roles.values() for option in role.options}
        for variable in raw:
            place = _key_place(variable, raw[variable])
            if place:
                places[str(variable),] = place
            elif variable not in known:
                continue  # Ansible's own
            values[str(variable)] = (
                self._value(variable, raw, computed, places) if variable in known else None
            )
        return Host(name, values, places)

    def _value(
        self, variable: str, raw: Mapping[str, Any], computed: Mapping[str, Any], places: _Places
    ) -> object:
        """Return one value as plain data, and note where it and its parts stand."""
        if places.get((variable,), "").startswith(_PLAYBOOKS):
            return _BY_PLAYBOOKS
        kept = self._shared.get(id(raw[variable]))
        if kept is None:
            inner: _Places = {}
            try:
                plain = _plain(computed[variable], (str(variable),), inner)
            except AnsibleError as error:
                plain = Uncomputed(" ".join(error.message.split()))
            kept = (raw[variable], plain, inner)
            if not _is_template(raw[variable]):
                self._shared[id(raw[variable])] = kept
        places.update({path: place for path, place in kept[2].items() if path not in places})
        return kept[1]


def _lines(hosts_file: Path) -> dict[str, int]:
    """Return the lines on which the hosts' file names something first; a program has none."""
    found: dict[str, int] = {}
    if hosts_file.suffix in {".yml", ".yaml"}:
        for number, line in enumerate(hosts_file.read_text(encoding="utf-8").splitlines(), start=1):
            found.setdefault(line.strip().rstrip(":"), number)
    return found


def _unreadable(error: BaseException) -> Mistake:
    """Return the mistake of a file that is no YAML; what wraps the parser's error loses the place."""
    link: BaseException | None = error
    while link is not None:
        place = _place(getattr(link, "obj", None))
        if place:
            return Mistake(place, " ".join(str(error).split()), "Correct the file")
        link = link.__cause__ or link.__context__
    raise error


def _plain(value: Any, path: tuple[Any, ...], places: _Places) -> object:  # noqa: ANN401 - whatever YAML holds
    if isinstance(value, Undefined):
        return Uncomputed(" ".join(str(value._undefined_message).split()))  # noqa: SLF001 - Jinja has no other
    if isinstance(value, Mapping):
        for key in value:
            _note(places, (*path, str(key)), key)
        return {str(key): _plain(value[key], (*path, str(key)), places) for key in value}
    if isinstance(value, list | tuple):
        for number, item in enumerate(value):
            _note(places, (*path, number), item)
        return [_plain(item, (*path, number), places) for number, item in enumerate(value)]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def _note(places: _Places, path: tuple[Any, ...], tagged: object) -> None:
    place = _place(tagged)
    if place:
        places[path] = place


def _key_place(key: object, value: object) -> str | None:
    """Return where a variable is set: by its name, or by its value where another file gave the name first."""
    by_key, by_value = _place(key), _place(value)
    if by_key and by_value and by_key.rpartition(":")[0] != by_value.rpartition(":")[0]:
        return by_value
    return by_key or by_value


def _place(tagged: Any) -> str | None:  # noqa: ANN401 - whatever Ansible tags
    if _ORIGIN is None:
        return None
    origin = tagged if isinstance(tagged, _ORIGIN) else _ORIGIN.get_tag(tagged)
    if origin is None:
        return None
    if not origin.path:
        return str(origin.description)
    return f"{_shown(str(origin.path))}:{origin.line_num}" if origin.line_num else _shown(str(origin.path))


def _is_template(value: object) -> bool:
    return "{{" in (text := repr(value)) or "{%" in text


def _inventory(variables: Mapping[str, Any]) -> tuple[Path, Path]:
    """Return the directory of the inventory, and the file that lists its hosts."""
    source = Path(str(next(iter(variables.get("ansible_inventory_sources") or ["."]))))
    if not source.is_dir():
        return source.parent, source
    return source, next(
        (source / name for name in ("hosts.yml", "hosts.yaml", "hosts") if (source / name).exists()), source
    )


@cache
def _shown(path: Path | str) -> str:
    path = Path(path).absolute()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


# What the playbooks compute from the groups: theirs, not the site's, and another on every host.
_PLAYBOOKS = _shown(ROOT / "playbooks/group_vars")
_BY_PLAYBOOKS = Uncomputed("")
