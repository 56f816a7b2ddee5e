"""`berth release lock`: solve what the specs ask for, once, and write the locks that are committed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from berth.releases import conda, pip, scratch
from berth.releases.errors import ChannelError, ReleaseError, told
from berth.releases.lock import Lock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from berth.releases.lock import PipPackage
    from berth.releases.spec import EnvironmentSpec, ReleaseSpec


def solve(
    release: ReleaseSpec,
    only: Sequence[str],
    channels: Mapping[str, str],
    virtual: Mapping[str, str],
    pip_index: str,
) -> Iterator[tuple[Path, bool]]:
    """Write the release's locks, or `only` some environments': give each path, and whether it changed.

    `channels` maps names to URLs where they are not the default ones; `virtual` goes over the spec's.
    An environment that cannot be locked does not keep the others from it: ReleaseError tells all of them at
    the end. A channel that cannot be read ends it at once, and nothing is written.
    """
    requests = release.requests()
    if unknown := sorted(set(only) - requests.keys()):
        raise ReleaseError(f"release {release.name} has no environment {', '.join(unknown)}")
    specs = {item.name: item for item in release.environments}
    wanted = dict.fromkeys(only or requests)
    problems = []
    locks: dict[Path, str] = {}
    for name in wanted:
        try:
            lock = _solve(release, name, channels, {**release.virtual, **virtual}, pip_index)
            if name in specs:
                _check(specs[name], lock)
        except ChannelError:
            raise
        except ReleaseError as error:
            problems.append(f"{release.name}, {name}: {error}")
            continue
        locks[release.lock_path(name)] = lock.text()
    changed = {
        path: text
        for path, text in locks.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    }
    with told(f"the locks of {release.name} cannot be written"):
        _write(changed)
    yield from ((path, path in changed) for path in locks)
    if problems:
        raise ReleaseError("\n".join([*problems, f"not locked: {len(problems)} of {len(wanted)}"]))


def _write(texts: Mapping[Path, str]) -> None:
    """Write files whole, or none of them."""
    new = {path: path.with_name(f".{path.name}.new") for path in texts}
    try:
        for path, text in texts.items():
            new[path].write_text(text, encoding="utf-8")
        for path, whole in new.items():
            whole.replace(path)
    finally:
        for left in new.values():
            left.unlink(missing_ok=True)


def _solve(
    release: ReleaseSpec, name: str, channels: Mapping[str, str], virtual: Mapping[str, str], pip_index: str
) -> Lock:
    conda_specs, pip_specs = release.requests()[name]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "berth"
    packages = conda.solve(release.channels, conda_specs, virtual, channels, cache)
    lock = Lock(name, release.channels, conda_specs, pip_specs, dict(sorted(virtual.items())), packages, ())
    if not pip_specs:
        return lock
    return Lock(**{**vars(lock), "pip": _pip(lock, channels, pip_index, cache)})


def _pip(lock: Lock, channels: Mapping[str, str], index: str, cache: Path) -> tuple[PipPackage, ...]:
    """Resolve pip's part against what conda's really installs: its names differ from the index's."""
    if lock.version_of("python") is None:
        raise ReleaseError("pip packages need a Python: name python among conda's")
    with scratch.directory("berth-lock-") as directory:
        prefix = directory / "prefix"
        conda.link(lock, prefix, channels, cache / "packages")
        return pip.resolve(lock.pip_specs, prefix, lock.virtual, index, directory)


def _check(spec: EnvironmentSpec, lock: Lock) -> None:
    if missing := [name for name in spec.packages if lock.version_of(name) is None]:
        raise ReleaseError(f"packages names {', '.join(missing)}, which it will not hold")
