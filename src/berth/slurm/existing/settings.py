"""Parameters of a cluster with which sessions cannot share nodes, or are not confined."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from berth.slurm.config import conffile
from berth.slurm.existing.cluster import RUNNING, cluster, settings_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from berth.slurm.existing.cluster import Cluster

_SELECT = (
    "only select/cons_tres knows GPUs and lets jobs share a node by cores and memory; changing it restarts "
    "slurmctld and every slurmd, so plan it with the cluster's users."
)
_MEMORY = (
    "memory is not consumable, so jobs would take it from each other; write CR_Core_Memory (or "
    "CR_CPU_Memory) "
    "and restart slurmctld."
)
_TASK = (
    "without task/cgroup nothing keeps a job within its memory, cores and GPUs; write "
    "TaskPlugin=task/affinity,task/cgroup and restart slurmd."
)
_TRACKING = (
    "without proctrack/cgroup processes of a session may outlive it; write ProctrackType=proctrack/cgroup "
    "and restart slurmd while no job runs."
)
_GANG = "gang scheduling would suspend sessions that share a core in turns; take GANG out."
_GRES = "lacks {}, which slurm_interactive_nodes describes; add it, and restart slurmctld and slurmd."
_NO_CGROUP = (
    "{} is missing: no job is confined without it. Write one with ConstrainDevices=yes, "
    "ConstrainRAMSpace=yes "
    "and ConstrainCores=yes, and restart slurmd."
)
_CONFINED = {
    "ConstrainDevices": "jobs could open each other's GPUs",
    "ConstrainRAMSpace": "jobs could take each other's memory",
}
_BETTER_CONFINED = {
    "ConstrainCores": "a session may use all cores of its node",
    "ConstrainSwapSpace": "a session over its memory goes on in the swap space of a node that has some",
}
_DELAY = (
    "SchedulerParameters has no batch_sched_delay: a session may start three seconds later than it could; "
    "batch_sched_delay=0 starts it at once."
)
_ENFORCE = (
    "EnforcePartLimits is NO: a session that no node can ever run waits for ever; with ALL it is refused "
    "at once."
)
_LIMITS = "AccountingStorageEnforce has no limits: limits of users, accounts and QOS are not kept."

_CONSUMABLE = frozenset({"cr_core_memory", "cr_cpu_memory", "cr_socket_memory"})
_COMPARED = ("SelectType", "SelectTypeParameters", "TaskPlugin", "ProctrackType", "PreemptMode", "GresTypes")
_RELEASE = re.compile(r"(?P<year>[0-9]+)\.(?P<month>[0-9]+)")
_OLDEST = (22, 5)
# The manual of this one lets `scontrol reconfigure` bring new nodes into force; before, the daemons restart.
_RECONFIGURES_NODES = (24, 11)


def conflicts(theirs: Cluster, kinds: Collection[str]) -> list[str]:
    """Return sentences about parameters that rule sessions out; *kinds* are the resources that they use."""

    def words(key: str) -> frozenset[str]:
        return theirs.setting(key).words()

    missing = sorted(set(kinds) - words("GresTypes"))
    checks = (
        ("SelectType", words("SelectType") == {"cons_tres"}, _SELECT),
        ("SelectTypeParameters", bool(_CONSUMABLE & words("SelectTypeParameters")), _MEMORY),
        ("TaskPlugin", "cgroup" in words("TaskPlugin"), _TASK),
        ("ProctrackType", words("ProctrackType") == {"cgroup"}, _TRACKING),
        ("PreemptMode", "gang" not in words("PreemptMode"), _GANG),
        ("GresTypes", not missing, _GRES.format(",".join(missing))),
    )
    found = [(theirs.setting(key), key, why) for key, fine, why in checks if not fine]
    return [f"{place.where}: {key}={place.value or '(nothing)'}: {why}" for place, key, why in found]


def confinement(
    files: Mapping[str, str | None], directory: str, watched: str | None
) -> tuple[list[str], list[str]]:
    """Return conflicts and hints about ``cgroup.conf``; none where the host's does not count (``None``)."""
    if watched is None:
        return [], []
    path = posixpath.join(directory, "cgroup.conf")
    if files.get(path) is None:
        return [_NO_CGROUP.format(path)], []
    said = cluster(conffile.read(files, path))

    def sentences(wanted: Mapping[str, str]) -> Iterator[str]:
        for key, what in wanted.items():
            setting = said.setting(key)
            if setting.value.lower() != "yes":
                place = path if setting.where == RUNNING else setting.where
                yield f"{place}: without {key}=yes {what}; write it there and restart slurmd."

    return [*sentences(_CONFINED)], [*sentences(_BETTER_CONFINED)]


def hints(theirs: Cluster, running: str) -> list[str]:
    """Return sentences about what works, but not as it could, or not as it looks."""
    found = [*_pending(theirs, running), *_stored(theirs)]
    release = _release(theirs)
    if release is None or release < _OLDEST:
        found.append(
            f"Slurm {theirs.setting('SLURM_VERSION').value or '(unknown)'} is untested; 22.05 is the oldest."
        )
    if not any(
        word.startswith("batch_sched_delay=") for word in theirs.setting("SchedulerParameters").words()
    ):
        found.append(_DELAY)
    if theirs.setting("EnforcePartLimits").value.upper() in {"", "NO"}:
        found.append(_ENFORCE)
    if not {"limits", "qos", "safe", "all"} & theirs.setting("AccountingStorageEnforce").words():
        found.append(_LIMITS)
    return found


def needs_restart_for_nodes(theirs: Cluster) -> bool:
    """Tell whether this release takes new nodes up only when slurmctld is restarted."""
    return (_release(theirs) or _OLDEST) < _RECONFIGURES_NODES


def _pending(theirs: Cluster, running: str) -> list[str]:
    """Return sentences about parameters that were changed in the file since slurmctld read it."""
    now = settings_of(running)
    changed = [
        (theirs.setting(key), key, now[key.lower()].value or "(nothing)")
        for key in _COMPARED
        if key.lower() in now and theirs.setting(key).words() != now[key.lower()].words()
    ]
    return [
        f"{setting.where}: {key}={setting.value}, but slurmctld runs with {value}: "
        "to reconfigure it brings the file into force."
        for setting, key, value in changed
    ]


def _stored(theirs: Cluster) -> list[str]:
    """Return sentences about what the accounting database would keep of sessions."""
    flags = theirs.setting("AccountingStoreFlags")
    kept = {
        "job_env": "the environment of every session, its token included",
        "job_script": "every session's script",
    }
    return [
        f"{flags.where}: AccountingStoreFlags has {word}: the accounting database keeps {what}."
        for word, what in kept.items()
        if word in flags.words()
    ]


def _release(theirs: Cluster) -> tuple[int, int] | None:
    match = _RELEASE.match(theirs.setting("SLURM_VERSION").value)
    return (int(match["year"]), int(match["month"])) if match else None
