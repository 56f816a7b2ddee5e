"""An inventory as plain data, and what a check sees of one of its hosts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from berth.inventory.mistakes import Mistake, Path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from berth.inventory.roles import Role

_TEMPLATE = re.compile(r"\{\{ *(?P<name>[a-z_]+) *\}\}")


class Unknown(Exception):  # noqa: N818 - no error: another check reports why there is no such value
    """A value that a check needs is missing or of the wrong type."""


@dataclass(frozen=True)
class Uncomputed:
    """Stands for a value whose template fails."""

    reason: str
    """Ansible's; empty for what the playbooks compute from the groups, which nobody looks at here."""


@dataclass(frozen=True)
class Host:
    """A host: its variables as the inventory and the playbooks set them, without the roles' defaults."""

    name: str
    values: Mapping[str, object]
    """Plain values, computed; an `Uncomputed` where that failed."""
    places: Mapping[Path, str]
    """``file:line`` of variables, and of what is in them."""


@dataclass(frozen=True)
class Site:
    """An inventory. *directory* and *hosts_file* are written as messages show them."""

    directory: str
    hosts_file: str
    hosts: Mapping[str, Host]
    groups: Mapping[str, tuple[str, ...]]
    roles: Mapping[str, Role]
    variable_files: tuple[str, ...] = ()
    """Names of the entries of its group_vars and host_vars, such as ``group_vars/hub``."""
    lines: Mapping[str, int] = field(default_factory=dict)
    """Lines of the hosts' file on which groups and hosts are named."""

    @cached_property
    def owners(self) -> dict[str, Role]:
        """Every variable that a role takes, with its role."""
        return {name: role for role in self.roles.values() for name in role.options}

    def listing(self, *names: str) -> str:
        """Return where the first of some groups and hosts that is named in the hosts' file stands there."""
        found = [f"{self.hosts_file}:{self.lines[name]}" for name in names if name in self.lines]
        return found[0] if found else self.hosts_file

    def members(self, *groups: str) -> list[Host]:
        """Return the hosts of some groups, each once."""
        names = dict.fromkeys(name for group in groups for name in self.groups.get(group, ()))
        return [self.hosts[name] for name in names]


@dataclass(frozen=True)
class View:
    """The variables that one host has, defaults of the roles included. Getters raise `Unknown`."""

    site: Site
    host: Host
    _resolving: frozenset[str] = field(default=frozenset())

    def value(self, name: str) -> object:
        """Return the value of a variable, or its default."""
        if name in self.host.values:
            return self.host.values[name]
        role = self.site.owners.get(name)
        if role is None or "default" not in role.options[name] or name in self._resolving:
            raise Unknown(name)
        inner = View(self.site, self.host, self._resolving | {name})
        return inner._resolved(role, role.options[name]["default"])

    def given(self, name: str) -> bool:
        """Tell whether the inventory sets the variable."""
        return name in self.host.values

    def text(self, name: str) -> str:
        """Return a text."""
        value = self.value(name)
        if not isinstance(value, str):
            raise Unknown(name)
        return value

    def number(self, name: str) -> int:
        """Return a whole number."""
        value = self.value(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise Unknown(name)
        return value

    def flag(self, name: str) -> bool:
        """Return true or false."""
        value = self.value(name)
        if not isinstance(value, bool):
            raise Unknown(name)
        return value

    def entries(self, name: str) -> list[object]:
        """Return a list."""
        value = self.value(name)
        if not isinstance(value, list):
            raise Unknown(name)
        return value

    def mapping(self, name: str) -> dict[str, object]:
        """Return a mapping."""
        value = self.value(name)
        if not isinstance(value, dict):
            raise Unknown(name)
        return value

    def place(self, *path: str | int) -> str:
        """Return where a value stands: its own line, that of what holds it, or the file where it belongs."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.host.places:
                return self.host.places[path[:length]]
        role = self.site.owners.get(str(path[0]))
        return role.home(self.site.directory) if role else self.site.directory

    def mistake(self, path: Path, problem: str, fix: str) -> Mistake:
        """Return the mistake at the value that *path* leads to."""
        return Mistake(self.place(*path), problem, fix)

    def _resolved(self, role: Role, default: object) -> object:
        """Fill in the names of a default; defaults hold nothing but names between braces."""
        if isinstance(default, list):
            return [self._resolved(role, item) for item in default]
        if not isinstance(default, str):
            return default
        short = self.host.name.partition(".")[0]
        own = {"inventory_hostname": self.host.name, "inventory_hostname_short": short}
        own["role_path"] = role.directory
        if "{{ __" in default:
            raise Unknown(default)  # depends on the host's system, which nobody has asked
        return _TEMPLATE.sub(lambda match: str(own.get(match["name"]) or self.value(match["name"])), default)
