"""`berth usage`: sessions, hours and efficiency of a period, as a table, CSV or JSON.

The columns of CSV and the names of JSON are an interface: further ones are only ever added at the end. Rows
begin with what they are told apart by, in the order in which it was asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import datetime as dt
import io
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from berth.hub import settings
from berth.hub.usage import arithmetic, query
from berth.hub.usage.arithmetic import KEYS, Period, Totals
from berth.slurm.errors import SlurmError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COLUMNS: Final = tuple(arithmetic.figures(Totals()))
"""The figures: `sessions`, `hours`, `gpu_hours`, `core_hours`, `cpu_efficiency`, `memory_efficiency`."""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--from",
        dest="since",
        type=_day,
        metavar="DATE",
        help="first day, as 2026-11-01; default: this month's",
    )
    parser.add_argument(
        "--until", type=_day, metavar="DATE", help="the day after the last one; default: tomorrow"
    )
    parser.add_argument(
        "--by",
        type=_keys,
        default=("user",),
        metavar="KEYS",
        help=f"{', '.join(KEYS)}; several: user,account",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="comma-separated values with a line of names")
    form.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--settings", type=Path, default=Path("/etc/berth"), metavar="DIR", help="the hub's")


def run(options: argparse.Namespace) -> int:
    """Run the command; return 0, or 1 after a sentence."""
    now = time.time()
    today = dt.date.fromtimestamp(now)  # noqa: DTZ012 - of the host, as Slurm counts
    since, until = options.since or today.replace(day=1), options.until or today + dt.timedelta(days=1)
    if since >= until:
        sys.stderr.write(
            f"--until {until} is the day after the last one: it has to be later than --from {since}\n"
        )
        return 1
    period = Period(arithmetic.midnight(since), arithmetic.midnight(until))
    try:
        hub, _ = settings.load(options.settings)
        jobs = asyncio.run(query.sessions(hub.slurm, period))
    except (settings.SettingsError, SlurmError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    found = arithmetic.tally(jobs, period, options.by, now)
    rows = [
        dict(zip(options.by, group, strict=True)) | arithmetic.figures(total)
        for group, total in found.items()
    ]
    about = {
        "from": str(since),
        "until": str(until),
        "partition": hub.slurm.partition,
        "by": list(options.by),
    }
    if options.json:
        sys.stdout.write(json.dumps({**about, "rows": rows}, indent=2) + "\n")
    elif options.csv:
        sys.stdout.write(_csv([*options.by, *COLUMNS], rows))
    else:
        sys.stdout.write(_table([*options.by, *COLUMNS], rows))
    return 0


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date; write 2026-11-01") from error


def _keys(text: str) -> tuple[str, ...]:
    keys = tuple(text.split(","))
    if not set(keys) <= set(KEYS) or len(set(keys)) != len(keys):
        raise argparse.ArgumentTypeError(
            f"{text!r}: write one or more of {', '.join(KEYS)}, each once: user,month"
        )
    return keys


def _csv(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows as RFC 4180 has them, with line ends of Unix; what is not known is empty."""
    written = io.StringIO()
    writer = csv.DictWriter(written, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue()


def _table(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    cells = [list(names), *([_cell(row[name]) for name in names] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    words = len(names) - len(COLUMNS)
    lines = [
        "  ".join(
            cell.ljust(width) if place < words else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:  # noqa: ANN401 - a cell of any column
    return "-" if value is None else f"{value:.2f}" if isinstance(value, float) else str(value)
