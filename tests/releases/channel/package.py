"""Conda packages (format 2), written so that the same input gives the same bytes."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

import zstandard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUBDIR = "linux-64"
# Stands for the prefix in files that name it; conda and rattler write the real one when they install. Nearly
# as long as conda-build's: a shorter one always fits into a binary.
PLACEHOLDER = "/opt/berth-lab-channel/" + "placeholder_" * 19 + "p"
# Any fixed day: a package has the time of its content, not of its build.
EPOCH = 1_767_225_600


@dataclass(frozen=True)
class File:
    """A file of a package."""

    data: bytes
    executable: bool = False

    @property
    def mode(self) -> int:
        """Permissions; nobody but its owner writes into an environment."""
        return 0o755 if self.executable else 0o644


@dataclass(frozen=True)
class Link:
    """A symbolic link of a package."""

    target: str


@dataclass(frozen=True)
class Package:
    """What a conda package says and holds; `files` by their paths below the prefix."""

    name: str
    version: str
    files: dict[str, File | Link]
    depends: tuple[str, ...] = ()
    license: str = ""
    summary: str = ""
    noarch: bool = False
    """Python without anything compiled: it is laid out when it is installed."""
    entry_points: tuple[str, ...] = ()
    """Of a noarch package: `command = module:function`, which the installer makes scripts of."""
    origin: dict[str, str] = field(default_factory=dict)
    """Where the content is from, for `about.json`."""

    @property
    def build(self) -> str:
        """The build string: "lab", and a digest of all that the package is, since one name is one content."""
        told = [self.name, self.version, *self.depends, self.license, self.summary, *self.entry_points]
        digest = hashlib.sha256("\0".join([*told, str(self.noarch)]).encode())
        for path, entry in sorted(self.files.items()):
            content = entry.target.encode() if isinstance(entry, Link) else entry.data
            digest.update(f"{path}\0{type(entry).__name__}\0{getattr(entry, 'executable', '')}\0".encode())
            digest.update(hashlib.sha256(content).digest())
        return f"{'py' if self.noarch else ''}lab_h{digest.hexdigest()[:7]}_0"

    @property
    def subdir(self) -> str:
        """Directory of the channel."""
        return "noarch" if self.noarch else SUBDIR


def write(package: Package, channel: Path) -> Path:
    """Write a package into its directory of a channel; return its path."""
    stem = f"{package.name}-{package.version}-{package.build}"
    path = channel / package.subdir / f"{stem}.conda"
    path.parent.mkdir(parents=True, exist_ok=True)
    information: dict[str, File | Link] = {
        name: File(text.encode()) for name, text in _information(package).items()
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        _member(archive, "metadata.json", json.dumps({"conda_pkg_format_version": 2}).encode())
        _member(archive, f"pkg-{stem}.tar.zst", _compressed(package.files))
        _member(archive, f"info-{stem}.tar.zst", _compressed(information))
    return path


def _information(package: Package) -> dict[str, str]:
    paths = list(_paths(package))
    placed = [entry for entry in paths if "file_mode" in entry]
    found = {
        "info/index.json": json.dumps(_index(package), indent=1, sort_keys=True),
        "info/paths.json": json.dumps({"paths": paths, "paths_version": 1}, indent=1),
        "info/files": "".join(f"{path}\n" for path in sorted(package.files)),
        "info/about.json": json.dumps(
            {"license": package.license, "summary": package.summary, "extra": package.origin}, sort_keys=True
        ),
    }
    if placed:
        found["info/has_prefix"] = "".join(
            f"{entry['prefix_placeholder']} {entry['file_mode']} {entry['_path']}\n" for entry in placed
        )
    if package.noarch:
        kind: dict[str, Any] = {"type": "python"}
        if package.entry_points:
            kind["entry_points"] = list(package.entry_points)
        found["info/link.json"] = json.dumps({"noarch": kind, "package_metadata_version": 1})
    return found


def _index(package: Package) -> dict[str, Any]:
    kind = {"noarch": "python"} if package.noarch else {"arch": "x86_64", "platform": "linux"}
    return {
        "name": package.name,
        "version": package.version,
        "build": package.build,
        "build_number": 0,
        "depends": sorted(package.depends),
        "license": package.license,
        "subdir": package.subdir,
        "timestamp": EPOCH * 1000,
        **kind,
    }


def _paths(package: Package) -> Iterator[dict[str, Any]]:
    marker = PLACEHOLDER.encode()
    for path, entry in sorted(package.files.items()):
        if isinstance(entry, Link):
            empty = hashlib.sha256(b"").hexdigest()
            yield {"_path": path, "path_type": "softlink", "sha256": empty, "size_in_bytes": 0}
            continue
        told = {
            "_path": path,
            "path_type": "hardlink",
            "sha256": hashlib.sha256(entry.data).hexdigest(),
            "size_in_bytes": len(entry.data),
        }
        if marker in entry.data:
            told["file_mode"] = "binary" if b"\0" in entry.data else "text"
            told["prefix_placeholder"] = PLACEHOLDER
        yield told


def _compressed(files: dict[str, File | Link]) -> bytes:
    packed = io.BytesIO()
    # The number of threads is part of what the bytes are: it must not follow the machine.
    compressor = zstandard.ZstdCompressor(level=5, threads=2)
    with (
        compressor.stream_writer(packed, closefd=False) as stream,
        tarfile.open(fileobj=_plain(stream), mode="w|", format=tarfile.GNU_FORMAT) as archive,
    ):
        for path, entry in sorted(files.items()):
            told = tarfile.TarInfo(path)
            told.mtime, told.uname, told.gname = EPOCH, "root", "root"
            if isinstance(entry, Link):
                told.type, told.linkname, told.mode = tarfile.SYMTYPE, entry.target, 0o777
                archive.addfile(told)
            else:
                told.size, told.mode = len(entry.data), entry.mode
                archive.addfile(told, io.BytesIO(entry.data))
    return packed.getvalue()


def _plain(stream: Any) -> IO[bytes]:
    """A writer of zstandard as what tarfile asks for: it only writes to it."""
    written: IO[bytes] = stream
    return written


def _member(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    told = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
    told.external_attr = 0o644 << 16
    archive.writestr(told, data)
