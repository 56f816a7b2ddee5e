"""The groups of hosts that the playbooks need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from berth.inventory.mistakes import Mistake, listed, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from berth.inventory.site import Site

_ONE = ("slurm_controller", "slurm_database", "hub")
_SOME = ("interactive_nodes",)
_OWN = {"all", "ungrouped"}
NEEDED = (*_ONE, *_SOME)
"""Groups that the playbooks are about."""


def mistakes(site: Site, *, database: bool) -> Iterator[Mistake]:
    """Find groups without hosts, or with too many; not every site needs a *database* here."""
    for group in NEEDED:
        members = site.groups.get(group, ())
        how_many = "one host" if group in _ONE else "the compute nodes"
        if not members and (database or group != "slurm_database"):
            near = nearest(group, set(site.groups) - _OWN - {*NEEDED})
            fix = f"Rename the group {near} to {group}" if near else f"Put {how_many} into it"
            yield Mistake(site.listing(group, near or ""), f"the group {group} has no host", fix)
        if group in _ONE and len(members) > 1:
            problem = f"the group {group} has {len(members)} hosts: {listed(members)}"
            yield Mistake(site.listing(group), problem, "Leave one of them in it")
