"""How the controller is configured, as ``scontrol show config`` tells: whether jobs are accounted for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from berth.slurm.errors import SlurmValueError

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
    return Controller(
        accounting=accounting,
        associations=accounting and "associations" in enforced.split(","),
        private_jobs="jobs" in private.split(","),
    )
