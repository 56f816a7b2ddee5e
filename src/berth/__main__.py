"""The command `berth`: each group of commands is a module with `HELP`, `register` and `run`."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import Final, NoReturn

# Imported when they are named: one group's packages need not be there for another.
GROUPS: Final = {
    "release": "berth.releases.cli",
}


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run `berth GROUP COMMAND …` and exit."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="berth", description="Berth's commands.")
    groups = parser.add_subparsers(dest="group", required=True)
    for name in GROUPS:
        groups.add_parser(name, add_help=False)
    name = parser.parse_known_args(given[:1])[0].group
    try:
        module = importlib.import_module(GROUPS[name])
    except ModuleNotFoundError as error:
        sys.exit(f"berth {name} needs {error.name}, which this environment does not have ({sys.prefix})")
    commands = argparse.ArgumentParser(prog=f"berth {name}", description=f"{module.HELP.capitalize()}.")
    module.register(commands)
    sys.exit(module.run(commands.parse_args(given[1:])))


if __name__ == "__main__":
    main()
