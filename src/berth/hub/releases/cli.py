"""`berth release catalogue`: the releases as HTML files; the answer is `changed` or `unchanged`."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from berth.hub.releases import export, view
from berth.hub.texts import text, words
from berth.releases import catalogue

if TYPE_CHECKING:
    import argparse

    from berth.releases.catalogue import Contents, Release


def register(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--index", type=Path, required=True, metavar="FILE", help="the published index.json")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="where the files are to be")
    parser.add_argument("--language", choices=text.LANGUAGES, default=text.ENGLISH, help="default: en")
    parser.add_argument("--check", action="store_true", help="write nothing, say what would happen")


def run(options: argparse.Namespace) -> int:
    """Run the command; return 0, or 1 after a sentence."""
    os.umask(0o022)
    text.language.set(options.language)
    try:
        releases = catalogue.load(options.index)
        contents = {item.name: _contents(item) for item in view.listed(releases, hidden=False)}
        wanted = dict(export.files(releases, contents, words.day(time.time())))
        changed = export.write(options.output, wanted, check=options.check)
    except (catalogue.CatalogueError, export.ExportError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("changed\n" if changed else "unchanged\n")
    return 0


def _contents(release: Release) -> Contents | None:
    """Return the full list; without it there is a page that says so."""
    try:
        return catalogue.load_contents(release.contents)
    except catalogue.CatalogueError as error:
        sys.stderr.write(f"release {release.name}: {error}\n")
        return None
