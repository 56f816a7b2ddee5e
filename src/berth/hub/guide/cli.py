"""`berth guide`: the users' guide as HTML; the answer is `changed` or `unchanged`."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from berth.hub import assets, settings
from berth.hub.guide import facts, pages
from berth.hub.releases import export
from berth.hub.texts import words
from berth.releases import catalogue

if TYPE_CHECKING:
    import argparse


def register(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--settings", type=Path, default=Path("/etc/berth"), metavar="DIR", help="the hub's")
    parser.add_argument("--index", type=Path, required=True, metavar="FILE", help="the published index.json")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="where the files are to be")
    parser.add_argument("--catalogue", default="", metavar="URL", help="where the catalogue of releases is")
    parser.add_argument("--check", action="store_true", help="write nothing, say what would happen")


def run(options: argparse.Namespace) -> int:
    """Run the command; return 0, or 1 after a sentence."""
    os.umask(0o022)
    try:
        hub, form = settings.load(options.settings)
        releases = catalogue.load(options.index)
        found = facts.gather(hub, form, releases, words.day(time.time()), options.catalogue)
        names = (*pages.STATIC, *pages.pictures())
        wanted = {name: (assets.DIRECTORY / name).read_bytes() for name in names}
        whole = {**wanted, "index.html": pages.file(found).encode()}
        changed = export.write(options.output, whole, check=options.check)
    except (settings.SettingsError, catalogue.CatalogueError, export.ExportError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("changed\n" if changed else "unchanged\n")
    return 0
