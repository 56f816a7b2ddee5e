"""The text form ``scontrol --oneliner``, for Slurm before 23.02, whose scontrol has no ``--json``."""

from __future__ import annotations

import re

from berth.slurm.errors import SlurmValueError

# "No reservations in the system"
_NOTHING = re.compile(r"No \w+ in the system")
_KEY = re.compile(r"(?:^|\s)(?P<key>[A-Z][A-Za-z_:/]*)=")


def parse(text: str) -> list[dict[str, str]]:
    """Read lines of ``Key=Value Key=Value``; values may hold blanks, and begin after the first ``=``.

    Raises:
        SlurmValueError: a line does not begin with a key.
    """
    records: list[dict[str, str]] = []
    for line in text.splitlines():
        keys = list(_KEY.finditer(line))
        if not keys and (not line.strip() or _NOTHING.fullmatch(line.strip())):
            continue
        if not keys or keys[0].start() != 0:
            raise SlurmValueError(f"{line[:80]!r} is not an answer of scontrol --oneliner")
        ends = [match.start() for match in keys[1:]] + [len(line)]
        records.append(
            {match["key"]: line[match.end() : end].strip() for match, end in zip(keys, ends, strict=True)},
        )
    return records
