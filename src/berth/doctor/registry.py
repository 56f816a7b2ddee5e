"""The checks, in the order in which they are run and printed: the first ones explain why later ones fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from berth.doctor.model import Check, Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

_HUB: Final = frozenset({Scope.HUB})
_NODE: Final = frozenset({Scope.NODE})
_BOTH: Final = _HUB | _NODE
_JOB: Final = frozenset({Scope.JOB})

CHECKS: Final[Sequence[Check]] = (
    Check("hub.settings", _HUB, "hub", "settings", "the hub's settings"),
    Check("hub.services", _HUB, "hub", "services", "the hub's services"),
    Check("hub.answers", _HUB, "hub", "answers", "the hub, the proxy and the web server"),
    Check("hub.sandbox", _HUB, "sandbox", "hub", "the rights of the hub's services"),
    Check("hub.database", _HUB, "database", "database", "the hub's database"),
    Check("helper.policy", _HUB, "helper", "policy", "what the privileged helper allows"),
    Check("helper.socket", _HUB, "helper", "sockets", "the socket of the privileged helper"),
    Check("helper.peer", _HUB, "helper", "peer", "whom the privileged helper answers"),
    Check("helper.sandbox", _HUB, "sandbox", "helper", "the rights of the privileged helper"),
    Check("tls.certificate", _HUB, "tls", "certificate", "the hub's certificate"),
    Check("tls.served", _HUB, "tls", "served", "the certificate that is served"),
    Check("munge.local", _BOTH, "munge", "local", "munge on this host"),
    Check("munge.hub", _NODE, "munge", "across", "munge between this node and the hub's host"),
    Check("slurm.controller", _HUB, "slurm", "controller", "slurmctld"),
    Check("slurm.accounting", _HUB, "slurm", "accounting", "slurmdbd"),
    Check("slurm.partition", _HUB, "slurm", "partition", "the interactive partition"),
    Check("slurm.nodes", _HUB, "slurm", "nodes", "the partition's nodes"),
    Check("slurm.form", _HUB, "promises", "form", "what the form offers"),
    Check("slurm.inventory", _HUB, "promises", "inventory", "what the inventory says of the partition"),
    Check("slurm.limits", _HUB, "promises", "limits", "the limits of users"),
    Check("slurm.sharing", _HUB, "confinement", "sharing", "how Slurm shares and confines"),
    Check("slurm.cgroup", _HUB, "confinement", "controller", "cgroup.conf as slurmctld has it"),
    Check("slurm.oom", _HUB, "confinement", "oom", "what is killed when memory ends"),
    Check("slurm.environments", _HUB, "rights", "environments", "what the accounting keeps of jobs"),
    Check("slurm.rights", _HUB, "rights", "private_data", "what Slurm tells the hub's user"),
    Check("slurm.versions", _HUB, "versions", "slurm", "the versions of Slurm"),
    Check("node.slurmd", _NODE, "node", "slurmd", "slurmd"),
    Check("node.slurm", _NODE, "versions", "slurmd", "the version of slurmd"),
    Check("node.cgroup", _NODE, "confinement", "node", "cgroup.conf of this node"),
    Check("node.layer", _NODE, "node", "layer", "the session layer"),
    Check("node.runtime", _NODE, "node", "runtime", "the directory of sessions' sockets"),
    Check("node.hub", _NODE, "node", "hub", "the hub's API, as sessions call it"),
    Check("releases.index", _HUB, "releases", "index", "the releases and their layers"),
    Check("releases.files", _HUB, "releases", "files", "the files of the releases", seconds=180.0),
    Check("node.releases", _NODE, "releases", "seen", "the releases that this node sees"),
    Check("versions.berth", _BOTH, "versions", "berth", "the versions of Berth"),
    Check("clock.host", _HUB, "clocks", "host", "the clock of this host"),
    Check("clock.hub", _NODE, "clocks", "against_hub", "the clock of this node against the hub's host"),
    Check("disk.space", _BOTH, "disks", "space", "room on the disks"),
    Check("session.start", _HUB, "trial", "start", "a real job on every node", seconds=900.0),
    Check("job.memory", _JOB, "job", "memory", "the memory limit of a job"),
    Check("job.devices", _JOB, "job", "devices", "the devices of a job"),
    Check("job.server", _JOB, "job", "server", "the session's server"),
    Check("job.home", _JOB, "job", "home", "the home"),
    Check("job.hub", _JOB, "node", "hub", "the hub's API, as sessions call it"),
)


def of(scope: Scope, wanted: Sequence[str] = ()) -> list[Check]:
    """Give the checks of a scope; with *wanted*, those of these names or areas only."""
    return [
        check
        for check in CHECKS
        if scope in check.scopes and (not wanted or {check.name, check.name.partition(".")[0]} & set(wanted))
    ]


def known() -> set[str]:
    """Give every name and every area that `--only` takes."""
    return {word for check in CHECKS for word in (check.name, check.name.partition(".")[0])}
