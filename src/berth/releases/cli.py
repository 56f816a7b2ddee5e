"""`berth release`: lock, build, verify, diff, list, retire."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from berth.releases import apply, changes, fields, keep, report, scratch, settings, solve, spec
from berth.releases.errors import ReleaseError

if TYPE_CHECKING:
    import argparse

ROOT: Final = Path("/opt/berth/releases")


def register(parser: argparse.ArgumentParser) -> None:
    """Add the commands of this group to the parser of `berth release`."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("lock", help="solve a release's specs and write its locks")
    command.set_defaults(run=_lock)
    command.add_argument("name", metavar="RELEASE")
    command.add_argument("--environment", action="append", default=[], help="only this one (again for more)")
    command.add_argument("--channel", action="append", default=[], metavar="NAME=URL", help="a mirror")
    command.add_argument("--virtual", action="append", default=[], metavar="__NAME=VERSION")
    command.add_argument("--pip-index", default="", metavar="URL", help="another package index")
    _specs(command)

    command = commands.add_parser("build", help="build what is not there, then publish")
    command.set_defaults(run=_build)
    command.add_argument("--settings", required=True, metavar="FILE", help="as of role releases; - is stdin")
    command.add_argument("--check", action="store_true", help="write nothing, say what would happen")
    command.add_argument("--json", action="store_true", help="answer for programs")

    command = commands.add_parser("verify", help="check every file of the published releases")
    command.set_defaults(run=_verify)
    _root(command)
    command.add_argument("--specs", type=Path, help="hold it against the locks of this directory, too")
    command.add_argument("names", nargs="*", metavar="RELEASE")

    command = commands.add_parser("diff", help="what changed between the locks of two releases")
    command.set_defaults(run=_diff)
    command.add_argument("old", metavar="OLD")
    command.add_argument("new", metavar="NEW")
    command.add_argument("--json", action="store_true", help="answer for programs")
    _specs(command)

    command = commands.add_parser("list", help="the releases that are here, with their size")
    command.set_defaults(run=_list)
    _root(command)
    command.add_argument("--json", action="store_true", help="answer for programs")

    command = commands.add_parser(
        "retire",
        help="remove the files of a release that is not published; sessions that use it lose them",
        description="Remove the files of a release that is not published. Slurm is not asked whether "
        "sessions still use it: look first (squeue), because what they have not read yet is gone for them.",
    )
    command.set_defaults(run=_retire)
    _root(command)
    command.add_argument("name", metavar="RELEASE")
    command.add_argument("--check", action="store_true", help="write nothing, say what would happen")


def run(options: argparse.Namespace) -> NoReturn:
    """Run the command; end with 0, with 1 and a sentence, or with 130 where it is interrupted.

    Without Python's own way out: there, py-rattler's threads have been seen to abort the process.
    """
    os.umask(0o022)
    scratch.remove_when_told_to_end()
    try:
        code = int(options.run(options))
    except ReleaseError as error:
        sys.stderr.write(f"{error}\n")
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _specs(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--specs", type=Path, default=Path("releases"), help="directory of the specs (default: releases)"
    )


def _root(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--root", type=Path, default=ROOT, help=f"directory of the releases (default: {ROOT})"
    )


def _lock(options: argparse.Namespace) -> int:
    pairs = [entry.partition("=") for entry in options.channel]
    if wrong := [name for name, sign, address in pairs if not (sign and address)]:
        raise ReleaseError(f"--channel is written as NAME=URL, found {wrong[0]}")
    try:
        virtual = dict(spec.virtual_package(entry) for entry in options.virtual)
        for name, _, address in pairs:
            fields.public(address, f"--channel {name}")
        fields.public(options.pip_index, "--pip-index")
    except fields.FieldError as error:
        raise ReleaseError(str(error)) from error
    channels = {name: address for name, _, address in pairs}
    release = spec.load(options.specs, options.name)
    for path, changed in solve.solve(release, options.environment, channels, virtual, options.pip_index):
        _say(f"{path}: {'written' if changed else 'unchanged'}")
    return 0


def _build(options: argparse.Namespace) -> int:
    with scratch.directory("berth-specs-") as place:
        wanted = settings.load(options.settings, place)
        outcome = apply.apply(wanted, check=options.check)
    if options.json:
        table = report.table(list(report.rows(wanted.root))).splitlines()
        _say(json.dumps({**vars(outcome), "report": [*table, *outcome.notes]}))
        return 0
    for prefix in outcome.built:
        _say(f"{'would build' if options.check else 'built'} {prefix}")
    for note in outcome.notes:
        _say(note)
    _say("changed" if outcome.changed else "unchanged")
    return 0


def _verify(options: argparse.Namespace) -> int:
    found = False
    for line in keep.verify(options.root, options.names, options.specs):
        found = True
        _say(line)
    if not found:
        named = "" if options.specs is None else ", and that is what the locks name"
        _say(f"every file is as it was noted when it was built{named}")
    return int(found)


def _diff(options: argparse.Namespace) -> int:
    found = changes.compare(spec.load(options.specs, options.old), spec.load(options.specs, options.new))
    if options.json:
        _say(json.dumps(found, indent=1))
    else:
        for line in changes.lines(found):
            _say(line)
    return 0


def _list(options: argparse.Namespace) -> int:
    rows = list(report.rows(options.root))
    sys.stdout.write(json.dumps(rows, indent=1) + "\n" if options.json else report.table(rows))
    return 0


def _retire(options: argparse.Namespace) -> int:
    gone = keep.retire(options.root, options.name, check=options.check)
    done = "would be removed" if options.check else "removed"
    _say(f"release {options.name}: {done}" if gone else f"release {options.name}: nothing is left of it")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
