"""Asks Slurm's accounting for the service's jobs of a period."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final

from berth.hub.session.state import JOB_PREFIX
from berth.slurm.answers import client, records
from berth.slurm.errors import SlurmError

if TYPE_CHECKING:
    from berth.hub.settings import SlurmSettings
    from berth.hub.usage.arithmetic import Period
    from berth.slurm.answers.records import Job

_SESSION: Final = re.compile(rf"{JOB_PREFIX}[0-9a-f]{{32}}")
_DISABLED: Final = "accounting storage is disabled"
_MOMENT: Final = "%Y-%m-%dT%H:%M:%S"


class AccountingDisabled(SlurmError):  # noqa: N818 - it names a state of Slurm, as its siblings do
    """This Slurm keeps no accounting: there are no figures at all."""


async def sessions(settings: SlurmSettings, period: Period) -> list[Job]:
    """Return the jobs of the service that ran in a period, one question after the other.

    Jobs of the partition that the service did not submit are left out: they have other names.

    Raises:
        AccountingDisabled: there is no accounting.
        SlurmError: it gave no answer that could be used.
    """
    commands = client.Commands(str(settings.bin_dir))
    found: dict[int, Job] = {}
    for part in period.weeks():
        # Slurm reads times in the zone of its host, as time.localtime writes them.
        times = [time.strftime(_MOMENT, time.localtime(when)) for when in (part.since, part.until)]
        argv = commands.accounting_between(settings.partition, times[0], times[1])
        found |= {job.job_id: job for job in records.parse_sacct(await _answer(argv, settings))}
    return [job for job in found.values() if _SESSION.fullmatch(job.name)]


async def _answer(argv: list[str], settings: SlurmSettings) -> object:
    try:
        return client.decode(await client.run(argv, settings.timeout_seconds))
    except SlurmError as error:
        if _DISABLED in str(error).lower():
            raise AccountingDisabled(
                "This Slurm keeps no accounting (AccountingStorageType): nothing is known of past sessions."
            ) from error
        raise
