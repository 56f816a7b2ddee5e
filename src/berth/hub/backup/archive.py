"""One archive: a manifest, a copy of the database, and the files, each with its digest, owner and mode."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import shutil
import socket
import tarfile
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from berth import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MANIFEST: Final = "manifest.json"
DATABASE: Final = "hub.sqlite"
FORMAT: Final = 1
PATTERN: Final = "berth-*.tar.gz"
PRIVATE: Final = 0o600


class BackupError(Exception):
    """A backup cannot be made, is damaged, or cannot be brought back; the text says why."""


@dataclass(frozen=True)
class Member:
    """One file of an archive."""

    sha256: str
    path: str = ""
    """Where it belongs on the hub's host; empty for the database."""
    mode: int = PRIVATE
    owner: str = "root"
    """Name of the user whose it is; the group is that of the user."""


@dataclass(frozen=True)
class Opened:
    """An archive whose files were found whole, unpacked in a private directory."""

    directory: Path
    manifest: dict[str, Any]
    members: dict[str, Member]

    @property
    def database(self) -> Path:
        """The copy of the database."""
        return self.directory / DATABASE

    def files(self) -> Iterable[tuple[Path, Member]]:
        """Every file beside the database: where it is unpacked, and what it was."""
        return [(self.directory / name, item) for name, item in self.members.items() if item.path]


def write(directory: Path, database: Path, files: Iterable[Path]) -> Path:
    """Write an archive into `directory`, for root only; it has its name as soon as it is whole."""
    made_at = time.time()
    sources = {DATABASE: (database, Member(_digest(database)))}
    for number, path in enumerate(sorted(files)):
        sources[f"files/{number:03}"] = (path, _member(path))
    manifest = {
        "format": FORMAT,
        "made_at": round(made_at),
        "host": socket.getfqdn(),
        "berth": __version__,
        "jupyterhub": version("jupyterhub"),
        "members": {name: asdict(member) for name, (_, member) in sources.items()},
    }
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = directory / time.strftime("berth-%Y%m%dT%H%M%SZ.tar.gz", time.gmtime(made_at))
    partial = target.with_suffix(".partial")
    described = database.with_name(MANIFEST)
    described.write_text(json.dumps(manifest, indent=2), encoding="utf-8")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
    with os.fdopen(descriptor, "wb") as stream:
        with tarfile.open(fileobj=stream, mode="w:gz") as tar:
            for name, path in {MANIFEST: described, **{n: p for n, (p, _) in sources.items()}}.items():
                tar.add(path.resolve(), arcname=name, filter=_plain)
        stream.flush()
        os.fsync(stream.fileno())
    partial.rename(target)
    return target


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Keep nothing but the content: the manifest says the rest."""
    info.uid, info.gid, info.uname, info.gname, info.mode = 0, 0, "root", "root", PRIVATE
    return info


def _member(path: Path) -> Member:
    found = path.stat()
    return Member(_digest(path), str(path), found.st_mode & 0o777, pwd.getpwuid(found.st_uid).pw_name)


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def unpack(archive: Path, directory: Path) -> Opened:
    """Unpack an archive into an empty private directory and look at every file. Raises BackupError."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            manifest = json.load(_stream(tar, MANIFEST))
            if manifest["format"] != FORMAT:
                raise BackupError(f"{archive} has the format {manifest['format']}; this Berth reads {FORMAT}")
            members = {name: Member(**described) for name, described in manifest["members"].items()}
            for number, name in enumerate(members):
                _unpack_one(tar, name, directory / f"{number}")
    except (OSError, EOFError, tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise BackupError(f"{archive} is not a backup of the hub, or is damaged: {error}") from error
    return _placed(archive, directory, manifest, members)


def _placed(archive: Path, directory: Path, manifest: dict[str, Any], members: dict[str, Member]) -> Opened:
    damaged = [
        name
        for number, (name, item) in enumerate(members.items())
        if _digest(directory / f"{number}") != item.sha256
    ]
    if damaged or DATABASE not in members:
        raise BackupError(f"{archive} is damaged: {', '.join(damaged) or 'it has no database'}")
    (directory / "files").mkdir()
    for number, name in enumerate(members):
        (directory / f"{number}").rename(directory / name)
    return Opened(directory, manifest, members)


def _stream(tar: tarfile.TarFile, name: str) -> Any:  # noqa: ANN401 - a stream of tarfile's
    stream = tar.extractfile(name)
    if stream is None:
        raise BackupError(f"{name} is no file")
    return stream


def _unpack_one(tar: tarfile.TarFile, name: str, target: Path) -> None:
    with _stream(tar, name) as source, target.open("xb") as stream:
        shutil.copyfileobj(source, stream)


def prune(directory: Path, keep: int) -> list[Path]:
    """Remove all but the `keep` youngest archives; return which were removed."""
    old = sorted(directory.glob(PATTERN))[:-keep]
    for path in old:
        path.unlink()
    return old
