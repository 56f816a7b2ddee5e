"""The hub's child that asks and adds up, so that no large answer is read in the hub's own process.

Run as `python -I -m berth.hub.usage PARTITION BIN_DIR TIMEOUT SINCE UNTIL` (Unix times). Prints one JSON
document: `rows`, each `[user, account, month, sums]`; or `error`, a sentence, with `disabled` where there is
no accounting.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from berth.hub.settings import SlurmSettings
from berth.hub.usage import arithmetic, query
from berth.slurm.errors import SlurmError


async def answer(arguments: list[str]) -> dict[str, Any]:
    """Return the document."""
    partition, bin_dir, timeout, since, until = arguments
    settings = SlurmSettings(partition=partition, bin_dir=Path(bin_dir), timeout_seconds=float(timeout))
    period = arithmetic.Period(float(since), float(until))
    try:
        jobs = await query.sessions(settings, period)
    except SlurmError as error:
        return {"error": str(error), "disabled": isinstance(error, query.AccountingDisabled)}
    found = arithmetic.tally(jobs, period, arithmetic.KEYS, time.time())
    return {"rows": [[*group, asdict(totals)] for group, totals in found.items()]}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(answer(sys.argv[1:]))))
