"""What the hub's host says of itself, for nodes to be compared with, a credential of munge included."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from berth.doctor import commands, munge, releases, versions
from berth.doctor.model import NotApplicableError
from berth.slurm.answers.client import SlurmError

if TYPE_CHECKING:
    from berth.doctor.site import Site


def gather(site: Site) -> dict[str, Any]:
    """Gather it; what is not known is empty. Raises NotApplicableError where settings cannot be used."""
    root = site.hub.session.root
    return {
        "host": socket.gethostname(),
        "berth": versions.mark(Path(sys.prefix)),
        "layers": [str(path) for path in versions.layers(root)],
        "root": str(root),
        "releases": releases.digest(root),
        "session_hub_url": site.hub.session_hub_url,
        "slurm": _slurm(site),
        "munge": _credential(site),
    }


def _slurm(site: Site) -> str:
    try:
        return site.cluster.setting("SLURM_VERSION").value
    except SlurmError:
        return ""


def _credential(site: Site) -> str:
    try:
        return munge.credential(site.hub_user)  # whoever gets hold of it is nobody by it
    except (commands.NotRunError, NotApplicableError):
        return ""
