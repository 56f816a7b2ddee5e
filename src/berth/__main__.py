"""The command `berth`: each group of commands is a module with `HELP`, `register` and `run`."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import Final, NoReturn

# Imported when they are named: what one needs need not be there for another. A command that needs other
# packages than its group has an entry of its own.
GROUPS: Final = {
    "env": "berth.environments.cli",
    "release": "berth.releases.cli",
    "release catalogue": "berth.hub.releases.cli",
}

ABOUT: Final = {
    "env": "your own environments and their kernels",
    "release": "pinned releases of kernels and conda",
}


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run `berth GROUP COMMAND …` and exit."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="berth", description="Berth's commands.")
    groups = parser.add_subparsers(dest="group", required=True, metavar="GROUP")
    for name, about in ABOUT.items():
        groups.add_parser(name, add_help=False, help=about)
    group, pair = parser.parse_known_args(given[:1])[0].group, " ".join(given[:2])
    name = pair if pair in GROUPS else group
    try:
        module = importlib.import_module(GROUPS[name])
    except ModuleNotFoundError as error:
        sys.exit(f"berth {name} needs {error.name}, which this environment does not have ({sys.prefix})")
    others = ", ".join(f"berth {other}" for other in GROUPS if other.startswith(f"{name} "))
    commands = argparse.ArgumentParser(
        prog=f"berth {name}",
        description=f"{module.HELP[0].upper()}{module.HELP[1:]}.",
        epilog=f"See also: {others}." if others else None,
    )
    module.register(commands)
    sys.exit(module.run(commands.parse_args(given[len(name.split()) :])))


if __name__ == "__main__":
    main()
