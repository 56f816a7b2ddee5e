"""``python -m berth.releases publish``: what role `releases` runs on the host that holds them."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from berth.releases.publish import PublishError, publish


def main(arguments: list[str]) -> int:
    """Publish the releases; print `changed` or `unchanged`."""
    parser = argparse.ArgumentParser(prog="berth.releases")
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("publish", help="check the named releases and rename the index")
    command.add_argument("--root", type=Path, required=True, help="directory of the releases")
    command.add_argument("--layers-dir", type=Path, required=True, help="directory of the layers")
    command.add_argument("--layer", action="append", default=[], metavar="RELEASE=LAYER")
    command.add_argument("--check", action="store_true", help="write nothing")
    command.add_argument("names", nargs="*", metavar="RELEASE")
    options = parser.parse_args(arguments)
    os.umask(0o022)
    layers = dict(pair.split("=", 1) for pair in options.layer)
    try:
        changed = publish(options.root, options.names, options.layers_dir, layers, check=options.check)
    except PublishError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("changed\n" if changed else "unchanged\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
