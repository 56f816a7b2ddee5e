"""`<prefix>/.berth.json`: written last, it lists every file of a prefix; what is not so has changed."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from berth.releases.errors import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NAME: Final = ".berth.json"
# The site's own settings of users' conda, which may change while the release does not.
_OURS: Final = frozenset({NAME, ".condarc"})


@dataclass(frozen=True)
class Manifest:
    """What a finished prefix holds.

    `lock` is the sha256 of the lock that it was built from; `files` gives for each path its mode and
    sha256, or where it links to; `packages` are those of the contents file.
    """

    lock: str
    files: Mapping[str, str]
    packages: tuple[Mapping[str, Any], ...]


def write(prefix: Path, manifest: Manifest) -> None:
    """Write the manifest, by a rename: from then on the prefix is finished."""
    new = prefix / f"{NAME}.new"
    document = {"lock": manifest.lock, "packages": list(manifest.packages), "files": dict(manifest.files)}
    with new.open("w", encoding="utf-8") as file:
        json.dump(document, file, indent=0, sort_keys=True, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    new.chmod(0o644)
    new.rename(prefix / NAME)


def read(prefix: Path) -> Manifest:
    """Read the manifest of a finished prefix; raises ReleaseError."""
    try:
        document = json.loads((prefix / NAME).read_text(encoding="utf-8"))
        return Manifest(document["lock"], document["files"], tuple(document["packages"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReleaseError(f"{prefix / NAME} cannot be read: {error}") from error


def finished(prefix: Path) -> bool:
    """Tell whether the prefix was built to its end."""
    return (prefix / NAME).is_file()


def paths(prefix: Path) -> set[str]:
    """List every file of a prefix that a manifest names, without reading any."""
    return set(_files(prefix, prefix))


def survey(prefix: Path) -> dict[str, str]:
    """Describe every file of a prefix: mode and sha256, or the target of a link."""
    found = sorted(paths(prefix))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(found, pool.map(lambda path: describe(prefix / path), found), strict=True))


def describe(path: Path) -> str:
    """Describe one file: `0644 <sha256>`, or `-> <target>`."""
    if path.is_symlink():
        return f"-> {os.readlink(path)}"  # noqa: PTH115 - Path would settle the target
    with path.open("rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        return f"{mode:04o} {hashlib.file_digest(file, 'sha256').hexdigest()}"


def differences(prefix: Path) -> list[str]:
    """Compare a prefix with its manifest: a line for each path that differs."""
    expected, found = read(prefix).files, survey(prefix)
    lines = [
        f"{prefix / path}: {_difference(expected.get(path), found.get(path))}"
        for path in expected.keys() | found.keys()
        if expected.get(path) != found.get(path)
    ]
    return sorted(lines)


def _difference(expected: str | None, found: str | None) -> str:
    if found is None:
        return "is missing"
    if expected is None:
        return "does not belong to the release"
    return f"is {found}, was {expected}"


def _files(directory: Path, prefix: Path) -> Iterator[str]:
    with os.scandir(directory) as entries:
        for entry in entries:
            path = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                yield from _files(path, prefix)
            elif not (directory == prefix and entry.name in _OURS):
                yield str(path.relative_to(prefix))
