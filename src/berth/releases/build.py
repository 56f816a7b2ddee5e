"""Build one environment from its lock: at its final path, from shared packages, marked when it is done."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from berth.releases import bytecode, conda, manifest, pip
from berth.releases.errors import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from berth.releases.lock import CondaPackage, Lock
    from berth.releases.settings import Settings
    from berth.releases.store import Store

FORMAT: Final = 1
"""Version of how a prefix is built: part of its digest. What is installed in an older one stays valid."""

# With less of it a disk is full: what py-rattler says then is often something else.
_ROOM: Final = 4_000_000


def prefix_of(release: Path, lock: Lock) -> Path:
    """Give the place of an environment below its release's directory."""
    return release / f"{lock.name}-{lock.digest(FORMAT)}"


def fingerprint(lock: Lock) -> str:
    """Give what a manifest remembers of the lock that its prefix was built from."""
    return hashlib.sha256(lock.text().encode()).hexdigest()


def build(lock: Lock, prefix: Path, settings: Settings, store: Store) -> None:
    """Build `prefix` from nothing; raises ReleaseError.

    What an interrupted run left there is removed first. The caller holds the store's lock.
    """
    if prefix.exists():
        shutil.rmtree(prefix)
    prefix.parent.mkdir(parents=True, exist_ok=True)
    try:
        conda.link(lock, prefix, settings.channels, store.conda)
        if lock.pip:
            pip.install(lock.pip, prefix, settings.pip_index, store.uv)
    except ReleaseError as error:
        if shutil.disk_usage(prefix.parent).free > _ROOM:
            raise
        raise ReleaseError(f"{error}\n{prefix.parent}: {os.strerror(errno.ENOSPC)}") from error
    _compile(prefix)
    _open(prefix)
    files = manifest.survey(prefix)
    store.share(prefix, files)
    manifest.write(prefix, manifest.Manifest(fingerprint(lock), files, tuple(packages(lock, prefix))))


def _compile(prefix: Path) -> None:
    python = prefix / "bin" / "python"
    if not python.exists():
        return
    environment = {"PATH": os.defpath, "PYTHONHASHSEED": "0", "PYTHONNOUSERSITE": "1"}
    command = [str(python), "-S", "-B", bytecode.__file__, str(prefix)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise ReleaseError(f"the Python of {prefix} cannot compile its packages: {result.stderr.strip()}")


def _open(prefix: Path) -> None:
    """Let every user read, whatever modes a package came with, and nobody but root write."""
    for directory, _, names in os.walk(prefix):
        for path in (Path(directory), *(Path(directory, name) for name in names)):
            if path.is_symlink():
                continue
            mode = stat.S_IMODE(path.stat().st_mode)
            wanted = 0o755 if mode & 0o111 or path == Path(directory) else 0o644
            if mode != wanted:
                path.chmod(wanted)


def record(prefix: Path, package: CondaPackage) -> Path:
    """Give the place of what conda notes about a package that it installed."""
    return prefix / "conda-meta" / f"{package.name}-{package.version}-{package.build}.json"


def packages(lock: Lock, prefix: Path) -> Iterator[dict[str, Any]]:
    """List what is installed for the catalogue: bytes are those of the installed files."""
    for package in lock.conda:
        paths = json.loads(record(prefix, package).read_text(encoding="utf-8"))["paths_data"]["paths"]
        yield {
            "name": package.name,
            "version": package.version,
            "build": package.build,
            "channel": package.channel,
            "license": " ".join(package.license.split()),
            "bytes": sum(entry.get("size_in_bytes") or 0 for entry in paths),
        }
    installed = pip.distributions(prefix) if lock.pip else {}
    for entry in lock.pip:
        version, directory = installed[entry.name]
        yield {
            "name": entry.name,
            "version": version,
            "build": "",
            "channel": "pip",
            "license": pip.licence(directory),
            "bytes": pip.size(directory),
        }
