"""What form and inventory promise, against what Slurm has now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from berth.doctor.model import Finding, NotApplicableError, failure, judged, ok, warning
from berth.slurm.answers.client import SlurmError
from berth.slurm.config import limits as config_limits
from berth.slurm.config import rows
from berth.slurm.notation import gres, hostlist, units

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from berth.doctor.site import Site
    from berth.slurm.answers.nodes import Node
    from berth.slurm.answers.partitions import Partition

_INVENTORY_FIX: Final = "run playbooks/slurm.yml, or correct slurm_interactive_{}"
_FORM_FIX: Final = "correct spawner_form_{} and run playbooks/hub.yml, or look at the nodes"


def form(site: Site) -> list[Finding]:
    """Compare the largest choice of each field with the largest node, and with the longest time."""
    offered, found = site.settings[1], site.nodes
    if not found:
        raise NotApplicableError("the partition has no nodes, see the check slurm.partition")
    memory = max(node.memory_mib for node in found)
    most = (
        ("cores", max(offered.cores.choices), max(node.cpus for node in found), "cores"),
        ("memory", max(map(units.mebibytes, offered.memory.choices)), memory, "MiB of memory"),
        ("gpus", max(offered.gpus.choices), max(sum(node.gpus.values()) for node in found), "GPUs"),
        ("time", max(map(_minutes, offered.time.choices)), site.partition.max_time, "minutes"),
    )
    problems = [
        warning(f"the form has a choice of {wanted} {what}, Slurm gives {had} at most", _FORM_FIX.format(key))
        for key, wanted, had, what in most
        if had is not None and wanted > had
    ]
    return judged(problems, "every choice of the form fits a node and the partition's time")


def _minutes(text: str) -> int:
    return units.minutes(text) or 0


def inventory(site: Site) -> list[Finding]:
    """Compare what the inventory says of the partition and of each node with slurmctld's own records."""
    told, found = site.told, site.partition
    described = {str(node["name"]): node for node in told["nodes"]}
    problems = [*_partition(told, found), *_members(set(described), set(found.nodes))]
    problems += [
        finding for node in site.nodes if node.name in described for finding in _node(described, node)
    ]
    return judged(problems, "slurmctld has the partition and the nodes that the inventory describes")


def _partition(told: Mapping[str, Any], found: Partition) -> Iterator[Finding]:
    pairs = (
        ("partition", told["partition"], found.name),
        ("shared_by", int(told["shared_by"]), found.oversubscribe),
        ("max_time", units.minutes(str(told["max_time"])), found.max_time),
        ("default_time", units.minutes(str(told["default_time"])), found.default_time),
    )
    for key, wanted, had in pairs:
        if wanted != had:
            yield _differs("the partition", key, wanted, had)


def _members(described: set[str], found: set[str]) -> Iterator[Finding]:
    if described != found:
        wanted, had = hostlist.fold(sorted(described)), hostlist.fold(sorted(found))
        yield _differs("the partition", "nodes", wanted, had)


def _node(described: Mapping[str, Mapping[str, object]], node: Node) -> Iterator[Finding]:
    (row,) = rows.nodes([described[node.name]])
    gpus = gres.gpu_counts(str(row.get("Gres") or ""))
    pairs = [
        ("memory in MiB", row.get("RealMemory"), node.memory_mib),
        ("GPUs", sum(gpus.values()), sum(node.gpus.values())),
        ("cpus", row.get("CPUs"), node.cpus),
    ]
    for key, wanted, had in pairs:
        if wanted is not None and str(wanted) != str(had):
            yield _differs(f"node {node.name}", key, wanted, had, "nodes")


def _differs(what: str, key: str, wanted: object, had: object, variable: str = "") -> Finding:
    text = f"{what}: the inventory says {key} {wanted}, slurmctld has {had}"
    return failure(text, _INVENTORY_FIX.format(variable or key))


def limits(site: Site) -> list[Finding]:
    """Look whether the limits of users are those of the inventory, and whether Slurm keeps them."""
    if not site.controller.accounting:
        raise NotApplicableError("Slurm does no accounting here, so there are no limits")
    told, name = site.options.inventory, site.partition.qos
    wanted = dict(told["limits"]) if told is not None else {}
    if told is not None and wanted and name != told["limits_qos"]:
        text = f"the partition's QOS is {name or 'none'}, its limits are in {told['limits_qos']}"
        return [failure(text, _INVENTORY_FIX.format("limits"))]
    if not name:
        return [ok("the partition has no limits of its own")]
    if not site.controller.limits:
        text = f"the partition's QOS {name} is not enforced: AccountingStorageEnforce has no limits"
        return [failure(text, "add limits to AccountingStorageEnforce and restart slurmctld")]
    return _kept(site, name, wanted, told is not None)


def _kept(site: Site, name: str, wanted: dict[str, object], told: bool) -> list[Finding]:  # noqa: FBT001
    program = f"{site.hub.slurm.bin_dir}/sacctmgr"
    columns = f"format={config_limits.COLUMNS}"
    try:
        row = site.ask([program, "--noheader", "--parsable2", "show", "qos", name, columns]).strip()
    except SlurmError as error:
        return [failure(f"the QOS {name} cannot be read: {error}", "see the check slurm.accounting")]
    if not row:
        return [failure(f"the QOS {name} of the partition does not exist", "run playbooks/slurm.yml")]
    if told and wanted and (changes := config_limits.changes(wanted, row)):
        text = f"the QOS {name} holds {row}, the inventory wants {', '.join(changes)}"
        return [failure(text, _INVENTORY_FIX.format("limits"))]
    return [ok(f"the limits of users are kept in the QOS {name} and enforced")]
