"""Make the channel: `python -m tests.releases.channel small|full`; --help lists what else it does.

Prints where it is. What was made before from the same inputs is taken as it is.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.releases.channel import locks, parts

KEPT_DAYS = 14
"""So long a part or a channel is kept that nobody asks for."""


class ChannelError(Exception):
    """The channel cannot be made here; the message says why and what to do."""


def tools(cache: Path) -> Path:
    """The Python that has the builder's packages; made where it is missing."""
    lock = parts.TOOLS.read_bytes()
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    directory = cache / f"tools-{python}-{parts.digest_of(lock)}"
    if not directory.is_dir():
        made = _beside(directory)
        print(
            f"Preparing the channel's builder from {parts.TOOLS.name} (about ten seconds, once).", flush=True
        )
        subprocess.run([sys.executable, "-m", "venv", made], check=True)
        pip: list[str | Path] = [
            made / "bin/python",
            "-m",
            "pip",
            "install",
            "-qq",
            "--disable-pip-version-check",
        ]
        subprocess.run([*pip, "--require-hashes", "--requirement", parts.TOOLS], check=True)
        made.rename(directory)
    return directory / "bin"


def part(wanted: parts.Part, cache: Path) -> Path:
    """The directory of a part's packages; made where it is missing."""
    directory = cache / "parts" / f"{wanted.name}-{wanted.digest()}"
    if not directory.is_dir():
        made, began = _beside(directory), time.monotonic()
        made.mkdir(parents=True)
        try:
            _build(cache, "part", wanted.name, made)
        except ChannelError as error:
            shutil.rmtree(made)
            raise ChannelError(
                f"The channel's part {wanted.name} cannot be made: {error}\n"
                f"To go on without its packages and what needs them: --without {wanted.name}"
            ) from None
        made.rename(directory)
        print(f"Made {wanted.name} in {time.monotonic() - began:.0f} s.", flush=True)
    os.utime(directory)
    return directory


def channel(wanted: tuple[parts.Part, ...], cache: Path) -> Path:
    """The directory of a channel of parts; made where it is missing."""
    directory = cache / parts.digest(wanted)
    if not directory.is_dir():
        made = _beside(directory)
        for directory_of_part in [part(one, cache) for one in wanted]:
            for path in sorted(directory_of_part.rglob("*.conda")):
                target = made / path.relative_to(directory_of_part)
                target.parent.mkdir(parents=True, exist_ok=True)
                if not target.exists():
                    target.hardlink_to(path)
        _build(cache, "index", made)
        made.rename(directory)
    os.utime(directory)
    return directory


def tidy(cache: Path) -> None:
    """Remove what nobody has asked for in two weeks, and what a build that was cut has left."""
    oldest = time.time() - KEPT_DAYS * 86400
    for path in [*cache.iterdir(), *(cache / "parts").iterdir()]:
        left = path.name.endswith(".new")
        if path.is_dir() and path.name != "parts" and (left or path.stat().st_mtime < oldest):
            shutil.rmtree(path)


def _beside(directory: Path) -> Path:
    """An empty place for what becomes `directory` when it is complete."""
    path = directory.with_name(f"{directory.name}.new")
    shutil.rmtree(path, ignore_errors=True)
    return path


def _build(cache: Path, *words: str | Path) -> None:
    bin_ = tools(cache)
    command = [bin_ / "python", "-m", "tests.releases.channel.build", *words]
    environment = {**os.environ, "PATH": f"{bin_}:{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=parts.ROOT, env=environment, stderr=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise ChannelError(done.stderr.strip())


def _link(path: Path, target: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(path)


def main(arguments: list[str]) -> int:
    """Make the channel that was asked for; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.releases.channel", description=__doc__)
    parser.add_argument("tier", choices=sorted(parts.TIERS))
    parser.add_argument("--link", type=Path, help="made to point to the channel")
    parser.add_argument("--without", action="append", default=[], metavar="PART", help="leave a part out")
    parser.add_argument(
        "--locks", type=Path, metavar="DIRECTORY", help="keep the releases' specs and locks there"
    )
    asked = parser.parse_args(arguments)
    wanted = tuple(one for one in parts.TIERS[asked.tier] if one.name not in asked.without)
    cache = parts.cache()
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            path = channel(wanted, cache)
            if asked.locks:
                python = tools(cache) / "python"
                for locked in locks.lock(python, path, asked.locks, small=asked.tier == "small"):
                    print(f"Locked {locked}.", flush=True)
        except (ChannelError, locks.LockError) as error:
            print(error, file=sys.stderr)
            return 1
        tidy(cache)
    if asked.link:
        _link(asked.link, path)
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
