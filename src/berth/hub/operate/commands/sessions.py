"""`berth sessions [--json]` and `berth sessions stop USER[/SERVER]…|--all --message TEXT`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

from berth.hub.operate import client, overview
from berth.hub.operate.overview import Row
from berth.hub.texts import words
from berth.slurm.notation import units

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

HEADS: Final = {
    "user": "USER",
    "job_id": "JOBID",
    "state": "STATE",
    "node": "NODELIST",
    "gpus": "GPUS",
    "cores": "CPUS",
    "memory_mib": "MEMORY",
    "release": "RELEASE",
    "interface": "INTERFACE",
    "idle_seconds": "IDLE",
    "left_seconds": "TIME_LEFT",
}
"""What stands above the columns, in squeue's words where it has one."""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the options, and the command `stop`."""
    client.register(parser)
    parser.add_argument("--json", action="store_true", help="as the hub answers")
    parser.add_argument("--sort", choices=overview.COLUMNS, default="user", metavar="COLUMN", help="by what")
    parser.set_defaults(work=_list)
    commands = parser.add_subparsers(metavar="COMMAND")
    stop = commands.add_parser("stop", help="end sessions, and tell their users why")
    stop.add_argument("names", nargs="*", metavar="USER[/SERVER]")
    stop.add_argument("--all", action="store_true", help="all that there are")
    stop.add_argument("--message", required=True, metavar="TEXT", help="one line for the users")
    stop.set_defaults(work=_stop)


def run(options: argparse.Namespace) -> int:
    """Run the command; return 0, or 1 after a sentence."""
    try:
        return int(options.work(client.of(options), options))
    except client.AskError as error:
        return client.complain("sessions", error)


def _list(hub: client.Hub, options: argparse.Namespace) -> int:
    answer = hub.ask("GET", "sessions")
    rows = overview.ordered([Row(**item) for item in answer["sessions"]], options.sort)
    if options.json:
        sys.stdout.write(json.dumps(answer | {"sessions": [row.to_dict() for row in rows]}, indent=1) + "\n")
        return 0
    sys.stdout.write(table([list(HEADS.values()), *([cell(row, name) for name in HEADS] for row in rows)]))
    if answer["error"]:
        sys.stderr.write(f"Slurm does not answer; this is old: {answer['error']}\n")
    return 0


def cell(row: Row, column: str) -> str:
    """Return what a column of the list shows; times as Slurm writes them."""
    value: Any = getattr(row, column)
    if column == "user":
        return row.name
    if value in {None, ""}:
        return "-"
    if column == "memory_mib":
        return words.size(value)
    if column == "gpus":
        return f"{row.gpu_type}:{value}" if row.gpu_type else str(value)
    return units.duration(value // 60) if column.endswith("_seconds") else str(value)


def table(lines: Sequence[Sequence[str]]) -> str:
    """Return lines with their columns under each other."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(
        "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() + "\n"
        for line in lines
    )


def _stop(hub: client.Hub, options: argparse.Namespace) -> int:
    if options.all == bool(options.names):
        raise client.AskError("Name the sessions to end, or give --all.")
    asked = {"sessions": None if options.all else options.names, "message": options.message}
    ended = hub.ask("POST", "sessions/stop", asked)["ended"]
    sys.stdout.write("".join(f"{name}: being stopped\n" for name in ended) or "There are no sessions.\n")
    return 0
