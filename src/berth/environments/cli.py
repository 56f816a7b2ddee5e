"""The commands `berth env create|list|remove`, for users in a terminal of their session."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from berth.environments import context, listing
from berth.environments.context import OwnError
from berth.environments.create import Order, create
from berth.environments.remove import find, remove

if TYPE_CHECKING:
    import argparse
    from types import FrameType

    from berth.environments.context import Context


def register(parser: argparse.ArgumentParser) -> None:
    """Add the commands to the parser of `berth env`."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("create", help="make an environment and its kernel")
    command.add_argument("name", metavar="NAME")
    command.add_argument("packages", nargs="*", metavar="PACKAGE", help="conda packages beside ipykernel")
    command.add_argument("--module", action="append", default=[], help="module that its kernel loads")
    command.add_argument("--channel", "-c", action="append", default=[], help="channel to take packages from")
    command.add_argument("--display-name", default="", help="what the launcher shows; the name otherwise")
    command.set_defaults(work=_create)
    command = commands.add_parser("list", help="show your kernels, and what is wrong with them")
    command.add_argument("--json", action="store_true", help="as a JSON list")
    command.set_defaults(work=_list)
    command = commands.add_parser("remove", help="remove an environment and its kernel")
    command.add_argument("name", metavar="NAME")
    command.add_argument("--yes", "-y", action="store_true", help="do not ask")
    command.set_defaults(work=_remove)


def run(options: argparse.Namespace) -> int:
    """Do what was parsed; give 0: done, 1: not done or not well, 130: interrupted. Errors are sentences."""
    for number in (signal.SIGTERM, signal.SIGHUP):  # the end of the session, and of the terminal
        signal.signal(number, _interrupt)
    try:
        return int(options.work(context.read(os.environ), options))
    except OwnError as error:
        sys.stderr.write(f"berth env: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("berth env: interrupted\n")
        return 130


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _create(here: Context, options: argparse.Namespace) -> int:
    order = Order(
        name=options.name,
        packages=tuple(options.packages),
        modules=tuple(options.module),
        channels=tuple(options.channel),
        display_name=options.display_name or options.name,
    )
    prefix = create(here, order)
    sys.stdout.write(
        f"\nThe environment {order.name} is ready: its kernel answered, and is in the launcher as "
        f'"{order.display_name}" after a refresh of the page.\n'
        f"More packages: conda install --prefix {prefix} PACKAGE\n"
    )
    return 0


def _list(here: Context, options: argparse.Namespace) -> int:
    rows = listing.rows(here)
    text = json.dumps([dataclasses.asdict(row) for row in rows], indent=2) if options.json else None
    sys.stdout.write(f"{text or listing.text(rows)}\n")
    return 1 if any(row.state == listing.BROKEN for row in rows) else 0


def _remove(here: Context, options: argparse.Namespace) -> int:
    prefix, kernel = find(here, options.name)
    places = " and ".join(str(place) for place in (prefix, kernel) if place is not None)
    if not options.yes:
        if not sys.stdin.isatty():
            raise OwnError(f"this would remove {places}; say --yes where nobody can be asked")
        sys.stdout.write(f"Remove {places}? [y/N] ")
        sys.stdout.flush()
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            sys.stdout.write("Nothing was removed.\n")
            return 1
    remove(here, prefix, kernel)
    sys.stdout.write(f"Removed {places}.\n")
    return 0
