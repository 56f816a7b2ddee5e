"""Brings a backup back: the database and the secrets that were made on the host, each in one step."""

from __future__ import annotations

import os
import pwd
import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from berth.hub.backup.archive import BackupError
from berth.hub.session.state import JOB_PREFIX

if TYPE_CHECKING:
    from berth.hub.backup.archive import Member, Opened
    from berth.hub.settings import HubSettings

MADE_HERE: Final = re.compile(r"/etc/berth/(proxy\.env|tls/[^/]+)|/var/lib/berth-hub/(?!hub\.)[^/]+")
"""What nobody but the host knows. All else in an archive is for reading: it is made from the inventory."""
SLURM_SECONDS: Final = 30


def differing(opened: Opened) -> list[tuple[Path, Member]]:
    """Return the secrets of an archive that are not the same on this host."""
    return [
        (source, member)
        for source, member in opened.files()
        if MADE_HERE.fullmatch(member.path) and not _same(source, Path(member.path))
    ]


def _same(source: Path, target: Path) -> bool:
    return target.is_file() and target.read_bytes() == source.read_bytes()


def replace(source: Path, member: Member) -> None:
    """Put a file where it was, with its owner and mode; it is never there by half."""
    target = Path(member.path)
    try:
        owner = pwd.getpwnam(member.owner)
    except KeyError as error:
        raise BackupError(
            f"{target}: there is no user {member.owner}; run playbooks/hub.yml first"
        ) from error
    if not target.parent.is_dir():
        target.parent.mkdir(mode=0o700)
    partial = target.with_name(f"{target.name}.restored")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        os.fchown(descriptor, owner.pw_uid, owner.pw_gid)
        os.fchmod(descriptor, member.mode)
        stream.write(source.read_bytes())
    partial.rename(target)


def unknown_jobs(opened: Opened, hub: HubSettings) -> list[str]:
    """Return the sessions in Slurm that the backup knows nothing of, as they were started after it."""
    command = [
        str(hub.slurm.bin_dir / "squeue"),
        "--noheader",
        "--format=%A %u %j",
        "--partition",
        hub.slurm.partition,
    ]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SLURM_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        return [f"Slurm could not be asked which sessions run: {error}"]
    with closing(sqlite3.connect(opened.database)) as reading:
        stored = "\n".join(str(state) for (state,) in reading.execute("SELECT state FROM spawners"))
    rows = [row.split(" ", 2) for row in listed.stdout.splitlines()]
    return [
        f"job {job} of {user}"
        for job, user, name in rows
        if name.startswith(JOB_PREFIX) and name.removeprefix(JOB_PREFIX) not in stored
    ]
