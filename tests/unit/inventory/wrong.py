"""Wrong inventories: `site/` with one change each, and what is said about it."""

from __future__ import annotations

from typing import NamedTuple

NODES = "group_vars/all/slurm_interactive.yml"
CLUSTER = "group_vars/all/slurm_cluster.yml"
SESSION = "group_vars/all/session.yml"
HUB = "group_vars/hub/hub.yml"
FORM = "group_vars/hub/spawner_form.yml"
RELEASES = "group_vars/hub/releases.yml"
HOSTS = "hosts.yml"


class Wrong(NamedTuple):
    """One wrong inventory."""

    file: str
    old: str
    """Text of the file that is replaced; empty: *new* is added at the end, or the file is made."""
    new: str
    sentences: tuple[str, ...]
    """All that is said, `file:line: problem. fix.`"""


WRONG: dict[str, Wrong] = {
