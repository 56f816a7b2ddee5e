"""Names: variables that no role takes, and directories of variables that nobody reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from berth.inventory import groups
from berth.inventory.mistakes import Mistake, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from berth.inventory.roles import Role
    from berth.inventory.site import Site

# Nearer than any two variables that sites have beside those of the roles; `slurm_intractive_nodes` is.
_CUTOFF = 0.9


def mistakes(site: Site) -> Iterator[Mistake]:
    """Find names that have no effect although somebody wrote them."""
    verdicts: dict[str, tuple[str, str] | None] = {}
    for host in site.hosts.values():
        for name in host.values:
            if name not in verdicts:
                verdicts[name] = _verdict(site, name)
            verdict = verdicts[name]
            if verdict is not None:
                yield Mistake(host.places.get((name,), site.directory), *verdict)
    yield from _unread(site)


def _verdict(site: Site, name: str) -> tuple[str, str] | None:
    """Return what is wrong with a variable's name, and what to write instead."""
    if name in site.owners:
        return None
    if any(name.startswith(f"__{role}_") for role in site.roles):
        return f"{name} is a role's own, not the site's to set", "Take it out"
    prefixed = [role for role in site.roles.values() if name.startswith(f"{role.name}_")]
    near = nearest(name, site.owners, _CUTOFF)
    if prefixed:
        role = max(prefixed, key=lambda role: len(role.name))
        near = near or nearest(name, role.options)
        return f"{name} is not a variable of role {role.name}", _fix(role, near)
    return (f"{name} is not a variable of any role", f"Write {near}") if near else None


def _fix(role: Role, near: str | None) -> str:
    return (
        f"Write {near}"
        if near
        else f"Take it out, or give it a name that does not begin with {role.name}_; "
        f"`ansible-doc -t role {role.name} -r roles` lists the variables that there are"
    )


def _unread(site: Site) -> Iterator[Mistake]:
    """Find files of group_vars and host_vars for groups and hosts that do not exist."""
    known = {"group_vars": {*site.groups, *groups.NEEDED}, "host_vars": set(site.hosts)}
    for entry in site.variable_files:
        kind, _, file = entry.partition("/")
        name = file if file in known[kind] else file.removesuffix(".yml").removesuffix(".yaml")
        if name in known[kind]:
            continue
        what = kind.partition("_")[0]
        # Hosts of a site resemble each other too much for a guess.
        near = nearest(name, known[kind]) if kind == "group_vars" else None
        yield Mistake(
            f"{site.directory}/{entry}",
            f"there is no {what} {name}, so nobody reads this",
            f"Rename it to {file.replace(name, near)}"
            if near
            else f"Add the {what} to {site.hosts_file}, rename this, or remove it",
        )
