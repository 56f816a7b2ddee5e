"""Make one part of the channel, or the index of a whole one: `python -m tests.releases.channel.build …`.

Runs with the packages of `requirements/channel.txt`; `tests.releases.channel` starts it.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

from tests.releases.channel.debian import DebianError
from tests.releases.channel.package import SUBDIR, write
from tests.releases.channel.tree import TreeError
from tests.releases.channel.wheel import WheelError
from tests.releases.channel.work import DownloadError, Work


def part(name: str, target: Path) -> None:
    """Write the packages of a part into a directory."""
    recipe = importlib.import_module(f"tests.releases.channel.recipes.{name}")
    with tempfile.TemporaryDirectory(prefix="berth-channel-") as directory:
        for package in recipe.packages(Work(Path(directory))):
            write(package, target)


def index(channel: Path) -> None:
    """Write what a channel offers, from the packages that are in it."""
    from rattler.index import index_fs  # noqa: PLC0415  # only this step needs it

    for subdir in ("noarch", SUBDIR):
        (channel / subdir).mkdir(parents=True, exist_ok=True)
    # It must not trust what it has seen of a file of the same name.
    asyncio.run(index_fs(channel, force=True))
    shutil.rmtree(channel / ".tmp", ignore_errors=True)


def main(verb: str, *words: str) -> int:
    """Do one step; return the exit status."""
    try:
        if verb == "part":
            part(words[0], Path(words[1]))
        else:
            index(Path(words[0]))
    except (DebianError, DownloadError, TreeError, WheelError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    status = main(*sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # py-rattler's threads once aborted the interpreter while it ended, its work long done.
    os._exit(status)
