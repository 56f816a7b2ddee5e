"""Nodes, as ``scontrol show node --json`` (since 23.02) and ``sinfo --json`` (22.05) list them."""

from __future__ import annotations

from dataclasses import dataclass, field

from berth.slurm.answers import document
from berth.slurm.notation import gres

# A node in one of these states takes no new job now. Each is here for a reason:
_NOT_SCHEDULABLE = frozenset(
    # out of service, by an administrator or by Slurm itself
    {"DOWN", "DRAIN", "FAIL", "ERROR", "INVALID", "INVALID_REG", "BLOCKED"}
    # slurmd does not answer, or never has: Slurm does not trust what it knows of the node
    | {"NOT_RESPONDING", "UNKNOWN", "FUTURE", "DYNAMIC_FUTURE", "EXTERNAL"}
    # in a maintenance reservation, which only its own jobs may use
    | {"MAINTENANCE", "MAINT"}
    # promised by the backfill scheduler to a job that waits: what is free there is not free for others
    | {"PLANNED"}
    # switched off, or about to be: it comes back in minutes, not in seconds
    | {"POWERED_DOWN", "POWERING_DOWN", "POWER_DOWN", "POWER_DRAIN", "POWERING_UP", "POWER_UP"}
    | {"REBOOT_REQUESTED", "REBOOT_ISSUED"},
)


@dataclass(frozen=True)
class Node:
    """One node. On an oversubscribed partition *alloc_cpus* is the union of the rows, not their sum."""

    name: str
    states: frozenset[str]
    """Base state and flags in upper case, such as ``MIXED`` and ``DRAIN``."""
    cpus: int
    memory_mib: int
    alloc_memory_mib: int
    alloc_cpus: int
    gpus: dict[str, int] = field(default_factory=dict)
    """GPUs by type; ``""`` stands for no type."""
    gpus_used: dict[str, int] = field(default_factory=dict)
    """GPUs that jobs have whole."""
    gpus_shared: dict[str, int] = field(default_factory=dict)
    """GPUs of which jobs have shards or a percentage (MPS): nobody can have those whole."""
    partitions: tuple[str, ...] = ()
    address: str = ""
    """Where the node is reached: a name or an address."""
    reason: str = ""
    """Why an administrator (or Slurm) took the node out of service."""
    reservation: str | None = None
    """The active reservation that holds the node; Slurm 22.05 does not tell its name."""

    @property
    def schedulable(self) -> bool:
        """Whether Slurm would start a new job here now.

        It would not on nodes that are out of service (DOWN, DRAIN, FAIL, ERROR), do not answer
        (NOT_RESPONDING, UNKNOWN), are under maintenance (MAINTENANCE), are promised to a waiting job
        (PLANNED), or are switched off or rebooting (POWER…, REBOOT…). A reservation is another question:
        see :mod:`berth.slurm.free.capacity`.
        """
        return not self.states & _NOT_SCHEDULABLE


def parse_nodes(answer: object) -> list[Node]:
    """Read nodes from the decoded answer.

    Raises:
        SlurmValueError: the answer is not a list of nodes.
    """
    return [_node(record) for record in document.records(answer, "nodes")]


def _node(record: document.Record) -> Node:
    states = (*document.words(record, "state"), *document.words(record, "state_flags"))
    return Node(
        name=document.name(record, "name"),
        states=frozenset(state.upper() for state in states),
        cpus=document.number(record, "cpus") or 0,
        memory_mib=document.number(record, "real_memory") or 0,
        alloc_memory_mib=document.number(record, "alloc_memory") or 0,
        alloc_cpus=document.number(record, "alloc_cpus") or 0,
        gpus=gres.gpu_counts(document.text(record, "gres")),
        gpus_used=gres.gpu_counts(document.text(record, "gres_used")),
        gpus_shared=gres.gpus_shared(document.text(record, "gres_used")),
        partitions=document.words(record, "partitions"),
        address=document.text(record, "address"),
        reason=document.text(record, "reason"),
        reservation=document.text(record, "reservation") or None,
    )
