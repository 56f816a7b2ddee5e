"""Whether Slurm's daemons answer, and what the partition and its nodes are like."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from berth.doctor.model import Finding, NotApplicableError, failure, judged, ok, warning
from berth.slurm.answers.client import SlurmError, SlurmRefused
from berth.slurm.notation import hostlist

if TYPE_CHECKING:
    from collections.abc import Iterator

    from berth.doctor.site import Site
    from berth.slurm.answers.nodes import Node

_PING: Final = re.compile(r"^Slurmctld\((?P<role>\w+)\) at (?P<host>\S+) is (?P<state>\w+)", re.MULTILINE)
# States of a node that come and go by themselves.
_PASSING: Final = frozenset({"PLANNED", "REBOOT_REQUESTED", "REBOOT_ISSUED", "POWERED_DOWN", "POWERING_DOWN"})
_LOOK: Final = "look at journalctl -u slurmctld on the controller, and at scontrol ping"


def controller(site: Site) -> list[Finding]:
    """Ask slurmctld how it is configured, and how it and its backups are."""
    try:
        answer = site.config
        version = ".".join(map(str, site.controller.version))
    except SlurmError as error:
        return [failure(f"slurmctld does not answer: {error}", _LOOK)]
    down = [match for match in _PING.finditer(answer) if match["state"] != "UP"]
    problems = [warning(f"slurmctld ({m['role']}) at {m['host']} is {m['state']}", _LOOK) for m in down]
    return judged(problems, f"slurmctld answers (Slurm {version})")


def accounting(site: Site) -> list[Finding]:
    """Ask slurmdbd for this cluster."""
    if not site.controller.accounting:
        raise NotApplicableError("Slurm does no accounting here: no accounts, no limits, no history of jobs")
    name = site.cluster.setting("ClusterName").value
    query = [_sacctmgr(site), "--noheader", "--parsable2", "show", "cluster", "format=cluster"]
    fix = "look at journalctl -u slurmdbd on its host; sessions go on, but how they end is not known"
    try:
        known = site.ask(query).split()
    except SlurmError as error:
        return [failure(f"slurmdbd does not answer: {error}", fix)]
    if name.lower() not in map(str.lower, known):
        return [failure(f"slurmdbd knows no cluster {name}", f"sacctmgr add cluster {name}")]
    return [ok(f"slurmdbd answers and knows the cluster {name}")]


def _sacctmgr(site: Site) -> str:
    return f"{site.hub.slurm.bin_dir}/sacctmgr"


def partition(site: Site) -> list[Finding]:
    """Look whether it is there, up and has nodes."""
    name = site.hub.slurm.partition
    fix = "run playbooks/slurm.yml, or correct hub_partition"
    try:
        found = site.partition
    except (SlurmRefused, NotApplicableError) as error:
        return [failure(f"slurmctld has no partition {name}: {error}", fix)]
    if found.state != "UP":
        text = f"partition {name} is {found.state}: no session starts"
        return [failure(text, f"scontrol update PartitionName={name} State=UP")]
    if not found.nodes:
        return [failure(f"partition {name} has no nodes", fix)]
    nodes = hostlist.fold(found.nodes)
    return [ok(f"partition {name} is UP, {found.oversubscribe} jobs share a core, on {nodes}")]


def nodes(site: Site) -> list[Finding]:
    """Name the nodes that take no sessions, and why."""
    found = site.nodes
    problems = list(_out_of_service(found))
    lost = {node.name for node in found if not node.schedulable and not node.states & _PASSING}
    if found and len(lost) == len(found):
        fix = "look at slurmd on the nodes, then scontrol update NodeName=… State=RESUME"
        problems.append(failure("no node of the partition takes jobs", fix))
    return judged(problems, f"all {len(found)} nodes are in service")


def _out_of_service(found: list[Node]) -> Iterator[Finding]:
    for node in found:
        if not node.schedulable and not node.states & _PASSING:
            why = f" ({node.reason})" if node.reason else ""
            text = f"node {node.name} is {'+'.join(sorted(node.states))}{why}"
            fix = f"look at slurmd there; when it is well: scontrol update NodeName={node.name} State=RESUME"
            yield warning(text, fix)
