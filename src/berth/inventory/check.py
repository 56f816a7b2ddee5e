"""All checks of an inventory, each on the hosts that it concerns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from berth.inventory import (
    cluster,
    form,
    groups,
    hub,
    names,
    nodes,
    partition,
    reading,
    releases,
    shapes,
    signin,
)
from berth.inventory.mistakes import Mistake, in_order
from berth.inventory.site import Host, Site, Unknown, View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Rule = Callable[[View], Iterator[Mistake]]

_RULES: dict[str, tuple[Rule, ...]] = {
    "slurm_interactive": (
        *(nodes.described, reading.notations, reading.parameters),
        *(partition.sharing, partition.times, partition.default_memory, partition.options, partition.limited),
    ),
    "slurm_cluster": (cluster.accounts, cluster.users, cluster.reservations, cluster.settings),
    "spawner_form": (
        *(form.choices, form.served, form.together, form.allowed, form.limits),
        *(form.partition, form.interfaces, form.links, signin.group_limits),
    ),
    "hub": (
        *(hub.ranges, hub.ports, hub.session_ports, hub.urls, hub.session_url),
        *(hub.networks, hub.listeners, hub.certificate, hub.database, hub.shared_directory),
        *(signin.provider, signin.mapping),
    ),
    "releases": (releases.published, releases.about, releases.addresses, releases.install_host),
    "session": (releases.session, releases.session_install_host),
}


def mistakes(site: Site) -> list[Mistake]:
    """Find everything that is wrong in an inventory, by file and line, each thing once."""
    return in_order(_found(site))


def _found(site: Site) -> Iterator[Mistake]:
    existing = _says(site, "slurm_interactive_existing", value=True)
    unaccounted = _says(site, "slurm_cluster_accounting", value="disabled")
    yield from groups.mistakes(site, database=not existing and not unaccounted)
    yield from names.mistakes(site)
    for name, role in site.roles.items():
        hosts = site.members(*role.groups)
        if name == "slurm_cluster" and existing:
            continue
        for view in _different(site, hosts or site.hosts.values()):
            if hosts or any(view.given(option) for option in role.options):
                yield from shapes.mistakes(view, role)
            for rule in _RULES.get(name, ()) if hosts else ():
                yield from _applied(rule, view)
    for host in site.members("interactive_nodes"):
        yield from _applied(nodes.member, View(site, host))
    everywhere = [View(site, host) for host in site.members(*site.roles["slurm_interactive"].groups)]
    if everywhere:
        yield from partition.same_everywhere(everywhere)


def _different(site: Site, hosts: Iterable[Host]) -> Iterator[View]:
    """Yield one view for hosts whose variables are all the same: most sites say everything once."""
    seen: set[tuple[object, ...]] = set()
    for host in hosts:
        # Values that hosts share are one object, as `Site` is made.
        key = tuple(
            (name, value if isinstance(value, str | int) else id(value))
            for name, value in host.values.items()
            if name in site.owners
        )
        if key not in seen:
            seen.add(key)
            yield View(site, host)


def _says(site: Site, name: str, *, value: object) -> bool:
    """Tell whether the inventory gives a variable that value, on any host."""
    return any(host.values.get(name) == value for host in site.hosts.values())


def _applied(rule: Rule, view: View) -> Iterator[Mistake]:
    """Apply a rule as far as the values go that it needs; other rules say what is wrong with those."""
    try:
        yield from rule(view)
    except Unknown:
        return
