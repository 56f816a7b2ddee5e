"""The command `berth`: each group of commands is a module with `register` and `run`."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import Final, NamedTuple, NoReturn


class Group(NamedTuple):
    """A group of commands: its module, and what its help says."""

    module: str
    about: str


# Imported when they are named: what one needs need not be there for another. A command that needs other
# packages than its group has an entry of its own.
GROUPS: Final = {
    "announce": Group("berth.hub.operate.commands.announce", "tell users something on all pages and in Lab"),
    "backup": Group("berth.hub.backup.cli", "make, check and restore backups of the hub"),
    "database": Group("berth.hub.database.cli", "what is done with the hub's database, as the hub's user"),
    "doctor": Group("berth.doctor.cli", "look whether the service is well, and say the fix"),
    "env": Group("berth.environments.cli", "your own environments and their kernels"),
    "guide": Group("berth.hub.guide.cli", "write the users' guide as HTML"),
    "maintenance": Group("berth.hub.operate.commands.maintenance", "keep new sessions from starting"),
    "release": Group("berth.releases.cli", "lock, build, verify, compare and remove releases"),
    "release catalogue": Group(
        "berth.hub.releases.cli", "write the published releases as HTML files, hidden ones left out"
    ),
    "sessions": Group("berth.hub.operate.commands.sessions", "all sessions at a glance, and their end"),
    "usage": Group("berth.hub.usage.cli", "what the sessions of a period used, from Slurm's accounting"),
}


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run `berth GROUP COMMAND …` and exit."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="berth", description="Berth's commands.")
    groups = parser.add_subparsers(dest="group", required=True, metavar="GROUP")
    for name, (_, about) in GROUPS.items():
        if " " not in name:
            groups.add_parser(name, add_help=False, help=about)
    group, pair = parser.parse_known_args(given[:1])[0].group, " ".join(given[:2])
    name = pair if pair in GROUPS else group
    path, about = GROUPS[name]
    try:
        module = importlib.import_module(path)
    except ModuleNotFoundError as error:
        sys.exit(f"berth {name} needs {error.name}, which this environment does not have ({sys.prefix})")
    others = ", ".join(f"berth {other}" for other in GROUPS if other.startswith(f"{name} "))
    commands = argparse.ArgumentParser(
        prog=f"berth {name}",
        description=f"{about[0].upper()}{about[1:]}.",
        epilog=f"See also: {others}." if others else None,
    )
    module.register(commands)
    sys.exit(module.run(commands.parse_args(given[len(name.split()) :])))


if __name__ == "__main__":
    main()
