"""The published releases: the index, their layers, and quickly whether their files are what was built."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from berth.doctor.model import Finding, NotApplicableError, failure, judged, warning
from berth.releases import catalogue, manifest
from berth.releases.errors import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from berth.doctor.site import Site
    from berth.releases.catalogue import Release

_PLAYBOOK: Final = "run playbooks/releases.yml"
_ENDING_DAYS: Final = 30
MOST_READ: Final = 500
"""Files of an environment that a quick look reads; `berth release verify` reads all."""
_SHOWN: Final = 5
# Files in the same second as the manifest were written before it: it is written last.
_NANOSECONDS: Final = 10**9


def index(site: Site) -> list[Finding]:
    """Read the index, and look for what it names."""
    root = site.hub.session.root
    try:
        found = catalogue.load(root / "releases" / "index.json")
    except catalogue.CatalogueError as error:
        return [failure(str(error), _PLAYBOOK)]
    problems = [finding for release in found for finding in _release(release, root)]
    today = dt.datetime.now(tz=dt.UTC).date()
    offered = [release.name for release in found if release.offered(today)]
    if not offered:
        problems.append(
            failure("no release is offered: nobody can start a session", f"publish one: {_PLAYBOOK}")
        )
    for release in found:
        if (
            release.name in offered
            and release.ends
            and release.ends - today < dt.timedelta(days=_ENDING_DAYS)
        ):
            text = f"release {release.name} ends on {release.ends}"
            problems.append(warning(text, "tell its users, or give it a later day in releases_end"))
    return judged(problems, f"published and offered: {', '.join(offered)}")


def _release(release: Release, root: Path) -> Iterator[Finding]:
    layer = root / "layers" / release.layer
    if not (layer / "bin" / "berth-session").is_file():
        text = f"release {release.name}: its layer {layer} is not there"
        yield failure(text, f"run playbooks/session.yml with session_version {release.layer}")
    for item in release.environments:
        kernel = Path(release.jupyter_path) / "kernels" / item.kernel / "kernel.json"
        if not kernel.is_file():
            yield failure(f"release {release.name}: {kernel} is missing", _PLAYBOOK)


def files(site: Site) -> list[Finding]:
    """Compare names, kinds and modes of all files, and read those that were touched after they were built.

    Where that is most of them, as the whole was copied or restored, some are read, spread over all.
    """
    root = site.hub.session.root / "releases"
    try:
        found = catalogue.load(root / "index.json")
    except catalogue.CatalogueError as error:
        raise NotApplicableError("there is no index, see the check releases.index") from error
    prefixes = {Path(item.prefix) for release in found for item in release.environments}
    prefixes |= {Path(release.conda) for release in found if release.conda}
    problems = [finding for prefix in sorted(prefixes) for finding in _prefix(prefix)]
    return judged(problems, f"by a quick look, {len(prefixes)} environments are what was built")


def _prefix(prefix: Path) -> Iterator[Finding]:
    fix = (
        "see all with berth release verify; publish the release anew under another name, or restore the files"
    )
    try:
        lines = differences(prefix)
    except (ReleaseError, OSError) as error:
        yield failure(str(error), fix)
        return
    if lines:
        more = f" and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
        yield failure(f"{'; '.join(lines[:_SHOWN])}{more}", fix)


def differences(prefix: Path) -> list[str]:
    """Return a line for each difference that a quick look finds. Raises ReleaseError or OSError.

    The manifest was written last: what was touched since has a later time of change, which nobody can set.
    """
    expected = manifest.read(prefix).files
    built = (prefix / manifest.NAME).stat().st_mtime_ns + _NANOSECONDS
    found = manifest.paths(prefix)
    lines = [f"{prefix / path}: is missing" for path in sorted(expected.keys() - found)]
    lines += [f"{prefix / path}: does not belong to the release" for path in sorted(found - expected.keys())]
    touched, written = [], []
    for path in sorted(found & expected.keys()):
        state = (prefix / path).lstat()
        if _kind(prefix / path, state) != expected[path].rpartition(" ")[0]:
            lines.append(f"{prefix / path}: has another mode or kind than it had")
        elif state.st_ctime_ns > built:
            touched.append(path)
            written += [path] if state.st_mtime_ns > built else []
    if len(touched) > MOST_READ:  # a copy: it keeps the times at which files were written
        touched = [*written[:MOST_READ], *touched[:: -(-len(touched) // MOST_READ)]]
    changed = {path for path in touched if manifest.describe(prefix / path) != expected[path]}
    return [*lines, *(f"{prefix / path}: has changed" for path in sorted(changed))]


def _kind(path: Path, state: os.stat_result) -> str:
    """Return what a manifest notes of a file before its digest, or of a link before its last word."""
    if stat.S_ISLNK(state.st_mode):
        return f"-> {os.readlink(path)}".rpartition(" ")[0]  # noqa: PTH115 - Path would settle the target
    return f"{stat.S_IMODE(state.st_mode):04o}"


def digest(root: Path) -> str:
    """Return the digest of the index, empty where it cannot be read."""
    try:
        return hashlib.sha256((root / "releases" / "index.json").read_bytes()).hexdigest()
    except OSError:
        return ""


def seen(site: Site) -> list[Finding]:
    """Look whether this node has the same index as the hub's host, and what it names."""
    wanted, root = site.against.get("releases"), Path(str(site.against.get("root", "")))
    if not wanted:
        raise NotApplicableError("the hub's host has no index, see its check releases.index")
    found = digest(root)
    if not found:
        return [failure(f"{root}/releases/index.json is not here: sessions find no kernels", f"mount {root}")]
    if found != wanted:
        text = f"{root}/releases/index.json is not that of the hub's host"
        return [failure(text, f"mount the same {root}, or {_PLAYBOOK} for this node")]
    releases = catalogue.load(root / "releases" / "index.json")
    lost = [
        item.prefix for release in releases for item in release.environments if not Path(item.prefix).is_dir()
    ]
    problems = [failure(f"{prefix} is not here", f"mount {root}, or {_PLAYBOOK}") for prefix in lost]
    return judged(problems, f"this node sees the same {len(releases)} releases as the hub")
