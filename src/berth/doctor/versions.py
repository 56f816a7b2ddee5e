"""Whether hub, layers and nodes have the same Berth, and Slurm's parts versions that go together."""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from berth.doctor import commands
from berth.doctor.model import Finding, NotApplicableError, failure, judged, warning
from berth.releases import catalogue
from berth.slurm.answers.document import text

if TYPE_CHECKING:
    from berth.doctor.site import Site

_VERSION: Final = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")
# slurmctld speaks with slurmd of its own and the two releases before; Slurm had two or three a year.
_OLDEST_YEARS: Final = 2
_SESSION: Final = "run playbooks/session.yml"


def mark(prefix: Path) -> str:
    """Return the digest of Berth's package that is installed below a prefix, empty where none is noted."""
    try:
        return (prefix / ".berth" / "wheel").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def layers(root: Path) -> list[Path]:
    """Return the layers of the published releases, the newest release's first; none where unknown."""
    try:
        releases = catalogue.load(root / "releases" / "index.json")
    except catalogue.CatalogueError:
        return []
    return list(dict.fromkeys(root / "layers" / release.layer for release in releases))


def berth(site: Site) -> list[Finding]:
    """Compare the Berth of the layers with the hub's."""
    if site.options.node:
        ours, found = str(site.against.get("berth", "")), site.layers
    else:
        ours, found = mark(Path(sys.prefix)), layers(site.hub.session.root)
    if not ours:
        raise NotApplicableError("it is not noted which Berth is installed here: not by the role python_env")
    if not found:
        raise NotApplicableError("no release names a layer, see the check releases.index")
    others = [str(path) for path in found if mark(path) != ours]
    problems = [warning(f"the layer {path} has another Berth than the hub", _SESSION) for path in others]
    return judged(problems, f"the hub and {len(found)} session layers have the same Berth")


def slurm(site: Site) -> list[Finding]:
    """Compare slurmctld with this host's commands, and with the slurmd of each node."""
    running = site.cluster.setting("SLURM_VERSION").value
    found = {
        "the commands of this host": commands.run([site.commands.version_query()[0], "--version"]).output
    }
    counts = Counter(text(record, "version") for record in site.node_records)
    found |= {f"slurmd of {counts[version]} nodes": version for version in counts if version}
    problems = [finding for what, version in found.items() for finding in compared(what, version, running)]
    return judged(problems, f"slurmctld, this host's commands and all nodes have Slurm {running}")


def slurmd(site: Site) -> list[Finding]:
    """Compare this node's slurmd with slurmctld."""
    running = str(site.against.get("slurm", ""))
    if not running:
        raise NotApplicableError("slurmctld's version is not known, see the hub's check slurm.controller")
    version = commands.run(["slurmd", "-V"]).output.strip()
    return judged(
        compared("slurmd of this node", version, running), f"slurmd has slurmctld's version, {running}"
    )


def compared(what: str, version: str, running: str) -> list[Finding]:
    """Judge a part's version by slurmctld's: never newer, and not much older."""
    had, wanted = _VERSION.search(version), _VERSION.search(running)
    if had is None or wanted is None:
        return [failure(f"{what}: {version.strip() or 'nothing'} is no version", "look at that installation")]
    if had[0] == wanted[0]:
        return []
    fix = "upgrade slurmdbd first, then slurmctld, then the nodes"
    ours, theirs = (int(had[1]), int(had[2])), (int(wanted[1]), int(wanted[2]))
    differ = f"{what} has Slurm {had[0]}, slurmctld {wanted[0]}"
    if ours > theirs or theirs[0] - ours[0] > _OLDEST_YEARS:
        return [failure(f"{differ}: they do not speak with each other", fix)]
    return [warning(differ, fix)]
