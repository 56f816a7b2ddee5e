"""What the hub and Slurm told this session, read once; and what its kernels may inherit of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from berth.session.errors import SessionError

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

_RANGE: Final = re.compile(r"(\d{1,5})-(\d{1,5})")
_MAX_PORT: Final = 65535
_JOB_PREFIX: Final = "berth-"

_SECRETS: Final = frozenset({"JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN"})
_OURS: Final = frozenset({"BERTH_REPORT_URL", "BERTH_PORT_RANGE"})
# Somebody's own modules would be imported by every Python; the site's profile may still set these.
_PYTHON: Final = frozenset({"PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONUSERBASE"})
# The variables of the job would make the user's own sbatch and srun believe they run inside it.
_SLURM: Final = ("SLURM_", "SLURMD_", "SBATCH_", "SALLOC_", "SRUN_", "PMI_", "PMIX_")


@dataclass(frozen=True)
class Assignment:
    """The session's orders. The token never leaves this process: not by argv, log or children."""

    user: str
    token: str
    report_url: str
    ports: range
    release: str
    releases_index: Path
    base_url: str
    home: Path
    job_id: str
    account: str
    session: str
    """What the hub's journal calls this session: it stands in the job's name."""

    def __repr__(self) -> str:
        """Show what identifies the session, without its token."""
        return f"Assignment(user={self.user!r}, job_id={self.job_id!r}, release={self.release!r})"


def read(environ: Mapping[str, str]) -> Assignment:
    """Read the orders; raises SessionError with the name of what is missing or wrong."""
    return Assignment(
        user=_required(environ, "JUPYTERHUB_USER"),
        token=_required(environ, "JUPYTERHUB_API_TOKEN"),
        report_url=_required(environ, "BERTH_REPORT_URL"),
        ports=_ports(_required(environ, "BERTH_PORT_RANGE")),
        release=_required(environ, "BERTH_RELEASE"),
        releases_index=Path(_required(environ, "BERTH_RELEASES_INDEX")),
        base_url=_required(environ, "JUPYTERHUB_SERVICE_PREFIX"),
        home=Path(_required(environ, "HOME")),
        job_id=_required(environ, "SLURM_JOB_ID"),
        account=environ.get("SLURM_JOB_ACCOUNT", ""),  # none where Slurm does no accounting
        session=environ.get("SLURM_JOB_NAME", "").removeprefix(_JOB_PREFIX),
    )


def scrub(environ: MutableMapping[str, str]) -> None:
    """Remove what neither kernels nor terminals may see; keep the job's number as BERTH_JOB_ID.

    What grants devices (CUDA_VISIBLE_DEVICES and its kin) stays.
    """
    if job_id := environ.get("SLURM_JOB_ID"):
        environ["BERTH_JOB_ID"] = job_id
    for name in list(environ):
        if name in _SECRETS | _OURS | _PYTHON or name.startswith(_SLURM):
            del environ[name]


def _required(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise SessionError(f"the session's environment lacks {name}: was it started by the hub?")
    return value


def _ports(text: str) -> range:
    found = _RANGE.fullmatch(text)
    if found:
        low, high = int(found[1]), int(found[2])
        if 0 < low <= high <= _MAX_PORT:
            return range(low, high + 1)
    raise SessionError(f"BERTH_PORT_RANGE must be two ports such as 40000-49999, found {text!r}")
