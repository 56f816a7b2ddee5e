"""How the controller is configured, as ``scontrol show config`` tells: whether jobs are accounted for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from berth.slurm.answers.commands import parse_version
from berth.slurm.errors import SlurmValueError

_TREES_SINCE = (23, 2)
# Each implies the ones before it, as slurm.conf(5) says.
_ENFORCE_LIMITS = frozenset({"limits", "safe", "all"})
_ENFORCE_ASSOCIATIONS = _ENFORCE_LIMITS | {"associations", "qos", "wckeys"}
_LINE = re.compile(r"^(?P<name>\w+)\s*= ?(?P<value>.*?)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Controller:
    """What decides which questions make sense, and who may run jobs."""

    accounting: bool
    """Whether slurmdbd records jobs: without it there is no account to charge and no sacct to ask."""
    associations: bool
    """Whether a job needs an account that its user may charge."""
    private_jobs: bool
    """Whether ordinary users are told of their own jobs only."""
    limits: bool = False
    """Whether the limits of QOS and associations hold."""
    version: tuple[int, int] = (24, 11)

    @property
    def accounts_are_trees(self) -> bool:
        """Whether a partition that lists an account means those below it, too."""
        return self.version >= _TREES_SINCE


def parse_controller(answer: str) -> Controller:
    """Read the answer of ``scontrol show config``.

    Raises:
        SlurmValueError: it does not say how jobs are accounted for.
    """
    values = {match["name"]: match["value"] for match in _LINE.finditer(answer)}
    try:
        storage, enforced = values["AccountingStorageType"], values["AccountingStorageEnforce"]
        private = values["PrivateData"]
    except KeyError as error:
        raise SlurmValueError(f"{error.args[0]}: is missing in Slurm's answer") from error
    # Without accounting 22.05 writes accounting_storage/none there, later versions (null).
    accounting = storage == "accounting_storage/slurmdbd"
    words = enforced.split(",")
    return Controller(
        accounting=accounting,
        associations=accounting and bool(_ENFORCE_ASSOCIATIONS & set(words)),
        private_jobs="jobs" in private.split(","),
        limits=accounting and bool(_ENFORCE_LIMITS & set(words)),
        version=parse_version(f"slurm {values.get('SLURM_VERSION', '')}"),
    )
