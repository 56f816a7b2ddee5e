"""The commands by which Berth asks Slurm, as argument lists: no shell is ever involved."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from berth.slurm.answers import associations, qos
from berth.slurm.errors import SlurmValueError

if TYPE_CHECKING:
    from collections.abc import Sequence

SCONTROL_HAS_JSON = (23, 2)
"""The first version whose scontrol has ``--json``."""

_VERSION = re.compile(r"slurm(?:-wlm)? (?P<major>[0-9]{2,4})\.(?P<minor>[0-9]{1,2})\b.*", re.DOTALL)
# sacct by names alone would read the whole past; a submission whose answer was lost is younger than this.
_NAMES_SINCE = "now-7days"
# Far below what an argument list may hold, and short enough to be read in a log.
_CHUNK = 200


@dataclass(frozen=True)
class Commands:
    """Builds the commands for one version of Slurm.

    *bin_dir* is the directory of Slurm's programs; empty means that they are found on ``PATH``. *version* is
    (major, minor), see :func:`parse_version`. Before 23.02 scontrol has no ``--json``: nodes then come from
    ``sinfo --json`` (which lists each node in that version), reservations, as partitions always, from
    ``scontrol --oneliner``; :func:`berth.slurm.answers.client.decode` and the parsers take either form.
    """

    bin_dir: str = ""
    version: tuple[int, int] = (24, 11)

    def version_query(self) -> list[str]:
        """Ask which version is installed; the controller is not asked."""
        return [self._program("sinfo"), "--version"]

    def nodes(self, hostlist: str = "") -> list[str]:
        """List nodes, all of them or (since 23.02) those of *hostlist*."""
        if self.version < SCONTROL_HAS_JSON:
            return [self._program("sinfo"), "--json"]
        names = [hostlist] if hostlist else []
        return [self._program("scontrol"), "show", "node", *names, "--json"]

    def partition(self, name: str) -> list[str]:
        """Show one partition, be it hidden; nothing (or a refusal) if there is none of that name.

        As text in every version: for JSON scontrol asks slurmdbd as well, and hangs while that is frozen.
        """
        return [*self._oneliner("show", "partition"), name]

    def reservations(self) -> list[str]:
        """List the reservations."""
        if self.version < SCONTROL_HAS_JSON:
            return self._oneliner("show", "reservation")
        return [self._program("scontrol"), "--all", "show", "reservation", "--json"]

    def jobs(self, partition: str) -> list[str]:
        """List the jobs of a partition, those that ended lately included.

        Before 23.02 squeue pays no attention to a filter when it writes JSON: all jobs are listed.
        """
        return [self._program("squeue"), "--all", "--states=all", f"--partition={partition}", "--json"]

    def controller(self) -> list[str]:
        """Ask how the controller is configured; :func:`.records.parse_controller` reads the answer."""
        return [self._program("scontrol"), "show", "config"]

    def known_job(self, job_id: int) -> list[str]:
        """Ask the controller for one job, whatever its partition: it refuses when it has no such job."""
        return [*self._oneliner("show", "job"), str(job_id)]

    def accounting(self, job_ids: Sequence[int], names: Sequence[str] = ()) -> list[list[str]]:
        """Ask accounting for jobs by number, and for jobs of the last seven days by name."""
        sacct = [self._program("sacct"), "--allusers", "--json"]
        numbers = [str(number) for number in job_ids]
        by_number = [[*sacct, f"--jobs={','.join(chunk)}"] for chunk in _chunks(numbers)]
        since = f"--starttime={_NAMES_SINCE}"
        by_name = [[*sacct, since, f"--name={','.join(chunk)}"] for chunk in _chunks(names)]
        return by_number + by_name

    def accounting_between(self, partition: str, since: str, until: str) -> list[str]:
        """Ask accounting for the jobs of a partition between two times, as ``2026-11-01T00:00:00``."""
        sacct = [self._program("sacct"), "--allusers", "--json", f"--partition={partition}"]
        return [*sacct, f"--starttime={since}", f"--endtime={until}"]

    def associations(self) -> list[str]:
        """List who may charge which account; :func:`.records.parse_associations` reads the answer."""
        return self._sacctmgr("assoc", associations.COLUMNS)

    def qos(self) -> list[str]:
        """List the QOS with their limits, as :func:`berth.slurm.answers.records.parse_qos` reads it."""
        return self._sacctmgr("qos", qos.COLUMNS)

    def default_accounts(self) -> list[str]:
        """List the default account of each user."""
        return self._sacctmgr("user", "user,defaultaccount")

    def _oneliner(self, *words: str) -> list[str]:
        return [self._program("scontrol"), "--all", "--oneliner", *words]

    def _sacctmgr(self, what: str, fields: str) -> list[str]:
        return [self._program("sacctmgr"), "--noheader", "--parsable2", "show", what, f"format={fields}"]

    def _program(self, name: str) -> str:
        return f"{self.bin_dir.rstrip('/')}/{name}" if self.bin_dir else name


def parse_version(text: str) -> tuple[int, int]:
    """Read major and minor from what ``sinfo --version`` prints, such as ``slurm-wlm 22.05.8``.

    Raises:
        SlurmValueError: the text is not a version of Slurm.
    """
    match = _VERSION.fullmatch(text)
    if match is None:
        raise SlurmValueError(f"{text[:80]!r} is not a version of Slurm")
    return int(match["major"]), int(match["minor"])


def _chunks(words: Sequence[str]) -> list[Sequence[str]]:
    return [words[start : start + _CHUNK] for start in range(0, len(words), _CHUNK)]
