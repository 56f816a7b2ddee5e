"""Whether an environment is what its lock names: more than its own manifest can say of itself."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from berth.releases import build, lock, manifest, spec
from berth.releases.errors import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from berth.releases.catalogue import Release
    from berth.releases.manifest import Manifest


def differences(release: Release, prefixes: Mapping[str, Path], specs: Path) -> Iterator[str]:
    """Compare a release with its spec and its locks below `specs`: a line for each thing that differs.

    `prefixes` are those of its environments by name, and of its conda.
    """
    try:
        wanted = spec.load(specs, release.name)
    except ReleaseError as error:
        yield str(error)
        return
    for name, prefix in prefixes.items():
        try:
            locked = lock.read(wanted.lock_path(name))
            found = manifest.read(prefix)
        except ReleaseError as error:
            yield str(error)
            continue
        if found.lock != build.fingerprint(locked):
            yield f"{prefix}: was not built from {wanted.lock_path(name)}"
            continue
        try:
            if tuple(build.packages(locked, prefix)) != found.packages:
                yield f"{prefix}: its list of packages is not that of its lock and of what is installed"
            yield from _files(prefix, found, [_record(prefix, package) for package in locked.conda])
        except (OSError, ValueError, KeyError, TypeError) as error:
            yield f"{prefix}: what is installed of its packages cannot be read: {error}"


def _record(prefix: Path, package: lock.CondaPackage) -> Sequence[Mapping[str, Any]]:
    document = json.loads(build.record(prefix, package).read_text(encoding="utf-8"))
    paths: Sequence[Mapping[str, Any]] = document["paths_data"]["paths"]
    return paths


def _files(prefix: Path, found: Manifest, packages: Sequence[Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    """Compare what the manifest says of files with what conda noted when it installed them.

    Not of bytecode, which may be compiled anew, nor of files that two packages bring.
    """
    owners = Counter(entry["_path"] for paths in packages for entry in paths)
    for paths in packages:
        for entry in paths:
            path = entry["_path"]
            # Where the prefix was put into the file, its hash is another one afterwards.
            wanted = entry.get("sha256_in_prefix" if entry.get("prefix_placeholder") else "sha256")
            said = found.files.get(path, "")
            if entry.get("path_type") != "hardlink" or not wanted or path.endswith(".pyc"):
                continue
            if owners[path] == 1 and said.partition(" ")[2] != wanted:
                yield f"{prefix / path}: is not the file of its package"
