"""`berth backup`: run by root on the hub's host; the playbooks backup.yml and restore.yml use it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from berth.hub import settings
from berth.hub.backup import archive, restore
from berth.hub.backup.archive import BackupError
from berth.hub.database import copying

if TYPE_CHECKING:
    import argparse

ETC: Final = Path("/etc/berth")
USER: Final = "berth-hub"


def register(parser: argparse.ArgumentParser) -> None:
    """Add the commands and their options."""
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    make = commands.add_parser("make", help="write an archive of database and secrets; the hub may run")
    make.add_argument("--to", type=Path, required=True, metavar="DIR", help="where archives are kept")
    make.add_argument("--keep", type=int, default=0, metavar="N", help="remove all but the youngest; 0: none")
    make.add_argument("--include", type=Path, nargs="*", default=[], metavar="FILE", help="take these along")
    for name, about in (
        ("check", "say whether an archive is whole, and what it would change"),
        ("restore", "bring it back; the hub must be stopped"),
    ):
        command = commands.add_parser(name, help=about)
        command.add_argument("archive", type=Path)


def run(options: argparse.Namespace) -> int:
    """Run a command, which answers with a JSON document; return 0, or 1 after a sentence."""
    try:
        hub, _ = settings.load(ETC)
        with tempfile.TemporaryDirectory() as directory:  # only root may look into it
            if options.command == "make":
                answer = _make(options, Path(directory), hub)
            else:
                answer = _open(options, Path(directory), hub)
    except (settings.SettingsError, copying.DatabaseError, BackupError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{json.dumps(answer)}\n")
    return 0


def _make(options: argparse.Namespace, directory: Path, hub: settings.HubSettings) -> dict[str, Any]:
    database = directory / archive.DATABASE
    with database.open("wb") as stream:
        _database("dump", stdout=stream)
    files = {path for path in ETC.rglob("*") if path.is_file() and path.name != ".proved"}
    # All that the hub keeps beside its database, which is copied by its own means (as is its journal).
    kept = [path for path in hub.state_dir.iterdir() if not path.name.startswith("hub.")]
    files |= {path for path in (*kept, *options.include) if path.is_file()}
    made = archive.write(options.to, database, files)
    removed = archive.prune(options.to, options.keep) if options.keep else []
    return {"archive": str(made), "removed": list(map(str, removed))}


def _open(options: argparse.Namespace, directory: Path, hub: settings.HubSettings) -> dict[str, Any]:
    opened = archive.unpack(options.archive, directory)
    copying.bring_up_to_date(opened.database)
    changed = restore.differing(opened)
    answer = {
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(opened.manifest["made_at"])),
        "host": opened.manifest["host"],
        "changed": [member.path for _, member in changed],
        "unknown_jobs": restore.unknown_jobs(opened, hub),
    }
    if options.command == "restore":
        # The database first: where it cannot be had, nothing has changed.
        with opened.database.open("rb") as stream:
            _database("load", stdin=stream)
        for source, member in changed:
            restore.replace(source, member)
    return answer


def _database(command: str, stdin: IO[bytes] | None = None, stdout: IO[bytes] | None = None) -> None:
    """Run `berth database` as the hub's user, with the password that the hub has."""
    argv = [
        *("systemd-run", "--quiet", "--pipe", "--wait", "--collect"),
        *(f"--property=User={USER}", "--property=PrivateTmp=yes", "--property=UMask=0077"),
        f"--property=EnvironmentFile=-{ETC / 'database.env'}",
        *(sys.executable, "-I", "-m", "berth", "database", command),
    ]
    done = subprocess.run(argv, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise BackupError(done.stderr.decode(errors="replace").strip() or f"berth database {command} failed")
