"""A conda channel of small, real packages, made in a moment: what the tool installs in its tests."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import sys
import sysconfig
import tarfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zstandard
from rattler.index import index_fs

if TYPE_CHECKING:
    from collections.abc import Mapping

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
SITE = f"lib/python{MINOR}/site-packages"
PLACEHOLDER = "/opt/" + "placeholder_" * 20
STAMP = 1_760_000_000


@dataclass(frozen=True)
class Link:
    """A symbolic link in a package."""

    target: str


@dataclass(frozen=True)
class Package:
    """What one package holds: text by path (executable below bin/), and links."""

    name: str
    version: str = "1.0"
    depends: tuple[str, ...] = ()
    files: Mapping[str, str | bytes | Link] = field(default_factory=dict)
    noarch: str | None = "generic"
    build: str = "0"
    more: Mapping[str, Any] = field(default_factory=dict)

    def write(self, channel: Path) -> Path:
        subdir = "noarch" if self.noarch else "linux-64"
        stem = f"{self.name}-{self.version}-{self.build}"
        target = channel / subdir / f"{stem}.conda"
        target.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(target, "w") as archive:
            for name, content in (
                ("metadata.json", b'{"conda_pkg_format_version": 2}'),
                (f"pkg-{stem}.tar.zst", _tar(self.files)),
                (f"info-{stem}.tar.zst", _tar(self._info(subdir))),
            ):
                archive.writestr(zipfile.ZipInfo(name), content)
        return target

    def _info(self, subdir: str) -> dict[str, str | bytes | Link]:
        index = {
            "name": self.name,
            "version": self.version,
            "build": self.build,
            "build_number": 0,
            "depends": list(self.depends),
            "subdir": subdir,
            "license": "BSD-3-Clause",
            "timestamp": STAMP * 1000,
            **({"noarch": self.noarch} if self.noarch else {"arch": "x86_64", "platform": "linux"}),
            **self.more,
        }
        paths = [_path(name, content) for name, content in sorted(self.files.items())]
        info = {
            "info/index.json": json.dumps(index),
            "info/paths.json": json.dumps({"paths": paths, "paths_version": 1}),
            "info/about.json": "{}",
        }
        if self.noarch == "python":
            info["info/link.json"] = json.dumps({"noarch": {"type": "python"}, "package_metadata_version": 1})
        return dict(info)


def _bytes(content: str | bytes | Link) -> bytes:
    if isinstance(content, Link):
        return b""
    return content.encode() if isinstance(content, str) else content


def _path(name: str, content: str | bytes | Link) -> dict[str, Any]:
    data = _bytes(content)
    entry = {
        "_path": name,
        "path_type": "softlink" if isinstance(content, Link) else "hardlink",
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_in_bytes": len(data),
    }
    if PLACEHOLDER.encode() in data:
        entry |= {"prefix_placeholder": PLACEHOLDER, "file_mode": "text"}
    return entry


def _tar(files: Mapping[str, str | bytes | Link]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.mtime = STAMP
            entry.mode = 0o755 if name.startswith(("bin/", "condabin/", "python-scripts/")) else 0o644
            if isinstance(content, Link):
                entry.type, entry.linkname = tarfile.SYMTYPE, content.target
                archive.addfile(entry)
            else:
                entry.size = len(_bytes(content))
                archive.addfile(entry, io.BytesIO(_bytes(content)))
    return zstandard.compress(buffer.getvalue(), 1)


def python() -> Package:
    """An interpreter: this one, by the way a virtual environment finds its own."""
    real = Path(sys.executable).resolve()
    return Package(
        "python",
        f"{MINOR}.{sys.version_info.micro}",
        noarch=None,
        files={
            "bin/python": Link(str(real)),
            f"bin/python{MINOR}": Link("python"),
            "pyvenv.cfg": f"home = {real.parent}\ninclude-system-site-packages = false\n",
            f"{SITE}/README.txt": "Packages come here.\n",
        },
    )


def ipykernel() -> Package:
    """The real one, where the tests have it: a file of paths leads to their own packages."""
    info = "site-packages/ipykernel-7.5.0.dist-info"
    return Package(
        "ipykernel",
        "7.5.0",
        ("python",),
        {
            "site-packages/of-the-tests.pth": f"{sysconfig.get_path('purelib')}\n",
            f"{info}/METADATA": "Metadata-Version: 2.1\nName: ipykernel\nVersion: 7.5.0\n",
        },
        "python",
    )


def pure(
    name: str,
    version: str = "1.0",
    source: str = "",
    depends: tuple[str, ...] = ("python",),
    info: str | None = None,
    **more: Any,
) -> Package:
    """A Python package as conda has most of them: for every Python, with its metadata and a command.

    `info` is the version that Python knows it by, where that is another one.
    """
    known = info or version
    info = f"site-packages/{name}-{known}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {known}\nLicense: MIT\n"
    files = {
        f"site-packages/{name}/__init__.py": source or f"NAME = {name!r}\n",
        f"{info}/METADATA": metadata,
        f"python-scripts/{name}": f"#!{PLACEHOLDER}/bin/python\nimport {name}; print({name}.__file__)\n",
    }
    return Package(name, version, depends, files, "python", **more)


def make(channel: Path, *packages: Package) -> Path:
    """Write the packages and index the channel."""
    (channel / "noarch").mkdir(parents=True, exist_ok=True)
    (channel / "linux-64").mkdir(exist_ok=True)
    for package in packages:
        package.write(channel)
    asyncio.run(index_fs(channel, force=True))
    return channel
