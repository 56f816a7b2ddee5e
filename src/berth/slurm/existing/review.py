"""What would break if an interactive partition joined a cluster that somebody else configured.

Pure: texts in, sentences out. A *conflict* stops the deployment, a *hint* is only shown.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from berth.slurm.config import conffile
from berth.slurm.errors import SlurmValueError
from berth.slurm.existing import nodes as review_nodes
from berth.slurm.existing import partitions as review_partitions
from berth.slurm.existing import settings as review_settings
from berth.slurm.existing.cluster import cluster
from berth.slurm.notation.units import text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from berth.slurm.config.conffile import Reading
    from berth.slurm.existing.cluster import Cluster


def review(files: Mapping[str, str | None], site: Mapping[str, object]) -> dict[str, object]:
    """Compare a cluster's own configuration with the partition that shall join it.

    *files* holds texts by absolute path, ``None`` for what is not there. *site* holds ``main`` (the path of
    ``slurm.conf``), ``own`` (the file that we include), ``running`` (the answer of ``scontrol show config``),
    ``nodes`` (descriptions as for :func:`berth.slurm.config.rows.nodes`), ``partition`` (its name),
    ``default`` (it takes jobs that name no partition), and of the host that was read its ``host`` (name),
    ``node`` and ``controller`` (what it is).

    Returns ``defined`` and ``added`` (our nodes that they do and do not define), ``placed`` (nodes that only
    our file defines now), ``conflicts`` and ``hints`` (sentences), ``stranded`` (sentences: what of theirs
    would break if our file went) and ``restart`` (new nodes need slurmctld restarted).

    Raises:
        SlurmValueError: a description of a node is wrong.
    """
    main, own, running = _text(site, "main"), _text(site, "own"), _text(site, "running")
    directory = posixpath.dirname(main)
    reading = conffile.read(files, main, own)
    theirs = cluster(reading, running)
    ours = review_nodes.ours(site.get("nodes"))
    watched = _watched(site, theirs)
    defined = {node.name for node in theirs.nodes}
    placed = [node.name for node in cluster(conffile.read(files, own)).nodes if node.name not in defined]
    confined, confined_hints = review_settings.confinement(files, directory, watched)
    sharing, sharing_hints = review_partitions.conflicts(
        theirs, list(ours), _text(site, "partition"), default=bool(site.get("default"))
    )
    conflicts = [
        *_unread(reading),
        *theirs.problems,
        *review_settings.conflicts(theirs, review_nodes.kinds(ours)),
    ]
    conflicts += [*confined, *review_nodes.conflicts(theirs, ours), *sharing]
    conflicts += review_nodes.devices(files, directory, defined, ours, watched)
    return {
        "defined": [name for name in ours if name in defined],
        "added": [name for name in ours if name not in defined],
        "placed": placed,
        "conflicts": conflicts,
        "hints": [*review_settings.hints(theirs, running), *confined_hints, *sharing_hints],
        "stranded": review_partitions.stranded(theirs, placed),
        "restart": review_settings.needs_restart_for_nodes(theirs),
    }


def _text(site: Mapping[str, object], key: str) -> str:
    value = site.get(key)
    if value is None:
        raise SlurmValueError(f"{key} is missing")
    return text_of(value)


def _watched(site: Mapping[str, object], theirs: Cluster) -> str | None:
    """Name the host whose ``gres.conf`` and ``cgroup.conf`` count: ``""`` for every node, ``None`` for none.

    Where nodes fetch their configuration from slurmctld, the controller's files are everybody's.
    """
    if site.get("node"):
        return _text(site, "host")
    configless = "enable_configless" in theirs.setting("SlurmctldParameters").words()
    return "" if site.get("controller") and configless else None


def unreadable(files: Mapping[str, str | None], main: str) -> list[str]:
    """Return sentences about inclusions, in the file *main* and below, that cannot be followed.

    Slurm's own commands wait for such a file for a minute, and end: this is asked before they are.
    """
    return _unread(conffile.read(files, main))


def _unread(reading: Reading) -> list[str]:
    """Return sentences about files that Slurm, or we, cannot read."""
    lost = "which cannot be read: correct the line or the file."
    circular = "which is being read already: Slurm would never come to an end."
    return [
        *(f"{item.where}: includes {item.path}, {lost}" for item in reading.unread),
        *(f"{item.where}: includes {item.path}, {circular}" for item in reading.circular),
        *(f"{item.where}: includes {item.path} again: take this line out." for item in reading.own[1:]),
    ]
