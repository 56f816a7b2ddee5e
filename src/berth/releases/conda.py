"""conda's part of an environment, by py-rattler: solve what a spec asks for, link what a lock names."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

import rattler
from rattler.exceptions import GatewayError, InvalidMatchSpecError, SolverError

from berth.releases.errors import ChannelError, ReleaseError
from berth.releases.lock import CondaPackage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from berth.releases.lock import Lock

PLATFORM: Final = "linux-64"
# Files are shared by hard links with the cache; links within packages stay what they are.
_CONFIG: Final = "allow-hard-links = true\nallow-ref-links = false\n"
# What the cache knew about itself, and where the package was downloaded: neither is of the package.
_OF_THIS_BUILD: Final = ("extracted_package_dir", "package_tarball_full_path", "link")


def url(channels: Mapping[str, str], name: str) -> str:
    """Give a channel's URL: the site's, or where a channel of that name is found by default."""
    return rattler.Channel(channels.get(name, name)).base_url.rstrip("/")


def solve(
    names: Sequence[str],
    specs: Sequence[str],
    virtual: Mapping[str, str],
    channels: Mapping[str, str],
    cache: Path,
) -> tuple[CondaPackage, ...]:
    """Find the newest packages that satisfy the specs; raises ReleaseError with the solver's reason.

    The first channel that has a package gives it, but for specs that name another one: `rapidsai::rmm`.
    """
    asked = [_from_channel(spec, names, channels) for spec in specs]
    bases = {url(channels, name): name for name in names}
    try:
        found = asyncio.run(
            rattler.solve(
                sources=[rattler.Channel(base) for base in bases],
                specs=[rattler.MatchSpec(spec) for spec in asked],
                platforms=[PLATFORM, "noarch"],
                virtual_packages=list(_virtual(virtual)),
                gateway=rattler.Gateway(cache_dir=cache / "repodata", client=_client()),
            )
        )
    except GatewayError as error:
        raise ChannelError(f"the channels {', '.join(names)} cannot be read: {error}") from error
    except (SolverError, InvalidMatchSpecError) as error:
        raise ReleaseError(f"cannot be solved: {error}") from error
    packages = [_locked(record, bases[record.channel.rstrip("/")]) for record in found]
    return tuple(sorted(packages, key=lambda package: package.name))


def _client() -> rattler.Client:
    """Give the client that knows the passwords of channels: of `RATTLER_AUTH_FILE`, and never of an address.

    It asks through the proxy that the environment names.
    """
    return rattler.Client.default_client()


def _from_channel(spec: str, names: Sequence[str], channels: Mapping[str, str]) -> str:
    """Give a spec with the URL of the channel that it names: the solver compares URLs; sites have mirrors."""
    name, sign, package = spec.partition("::")
    if not sign:
        return spec
    if name not in names:
        raise ReleaseError(f"{spec} names the channel {name}; the release's channels are {', '.join(names)}")
    return f"{url(channels, name)}::{package}"


def _virtual(versions: Mapping[str, str]) -> Iterator[rattler.GenericVirtualPackage]:
    """Give the virtual packages of the node; every one of ours is a 64-bit machine of Linux."""
    for name, version, build in (
        *((name, version, "0") for name, version in versions.items()),
        ("__unix", "0", "0"),
        ("__archspec", "1", "x86_64"),
    ):
        yield rattler.GenericVirtualPackage(
            rattler.PackageName(name), rattler.Version(version), rattler.BuildString(build)
        )


def _locked(record: rattler.RepoDataRecord, channel: str) -> CondaPackage:
    if record.sha256 is None:
        raise ReleaseError(f"the channel {channel} gives no sha256 for {record.file_name}")
    return CondaPackage(
        name=record.name.normalized,
        version=str(record.version),
        build=str(record.build),
        build_number=record.build_number,
        channel=channel,
        subdir=record.subdir,
        file=record.file_name,
        sha256=record.sha256.hex(),
        size=record.size or 0,
        license=record.license or "",
        noarch="python" if record.noarch.python else "generic" if record.noarch.generic else "",
        site_packages=record.python_site_packages_path or "",
        depends=tuple(record.depends),
        constrains=tuple(record.constrains),
    )


def link(lock: Lock, prefix: Path, channels: Mapping[str, str], cache: Path) -> None:
    """Install the conda packages of a lock at their final place; raises ReleaseError.

    Each is downloaded from the site's channel of that name and must have the locked sha256. Link scripts
    of packages run, as they do with conda.
    """
    try:
        asyncio.run(_install(lock, prefix, channels, cache))
    except Exception as error:
        if isinstance(error, ReleaseError):
            raise
        # py-rattler's own exceptions share no class but Exception
        raise ReleaseError(f"{lock.name}: the packages cannot be installed: {error}") from error
    for package in lock.conda:
        _settle(prefix / "conda-meta", package)
    # By it conda knows an environment, and what it was asked for. The time is no build's.
    history = f"==> 1970-01-01 00:00:00 <==\n# update specs: {list(lock.conda_specs)}\n"
    (prefix / "conda-meta" / "history").write_text(history, encoding="utf-8")
    (prefix / "CACHEDIR.TAG").unlink(missing_ok=True)  # backups shall not leave a release out


async def _install(lock: Lock, prefix: Path, channels: Mapping[str, str], cache: Path) -> None:
    # A cache object remembers by name and version what it checked, so each environment gets its own.
    packages = rattler.PackageCache.new_layered([cache], False, rattler.ValidationMode.full())  # noqa: FBT003
    index = await packages.index()
    records = [_record(package, channels) for package in lock.conda]
    for record in records:
        if not index.contains_record(record):
            _check_local(record)
    await rattler.install(
        records,
        prefix,
        package_cache=packages,
        client=_client(),
        config=rattler.Config.from_toml(_CONFIG),
        execute_link_scripts=True,
        platform=rattler.Subdir(PLATFORM),
        show_progress=False,
    )


def _record(package: CondaPackage, channels: Mapping[str, str]) -> rattler.RepoDataRecord:
    known = rattler.PackageRecord(
        package.name,
        package.version,
        rattler.BuildString(package.build),
        package.build_number,
        package.subdir,
        noarch="python" if package.noarch == "python" else "generic" if package.noarch else None,
        depends=list(package.depends),
        constrains=list(package.constrains),
        sha256=bytes.fromhex(package.sha256),
        size=package.size,
        license=package.license or None,
        python_site_packages_path=package.site_packages or None,
    )
    base = url(channels, package.channel)
    return rattler.RepoDataRecord(known, package.file, f"{base}/{package.subdir}/{package.file}", base)


def _check_local(record: rattler.RepoDataRecord) -> None:
    """Check a file of this machine: py-rattler compares the hash only of what it downloads."""
    parts = urlsplit(record.url)
    if parts.scheme != "file":
        return
    path = Path(unquote(parts.path))
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise ReleaseError(f"{path} cannot be read: {error.strerror}") from error
    if found != record.sha256:
        raise ReleaseError(f"{path} is not the file that the lock names: its sha256 is {found.hex()}")


def _settle(directory: Path, package: CondaPackage) -> None:
    """Make what conda reads about a package the same in every build, and readable for every user.

    The URL is the one that the channel's name stands for by default: a mirror is the site's own affair.
    """
    path = directory / f"{package.name}-{package.version}-{package.build}.json"
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for key in _OF_THIS_BUILD:
        document.pop(key, None)
    document["channel"] = url({}, package.channel)
    document["url"] = f"{document['channel']}/{package.subdir}/{package.file}"
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    path.chmod(0o644)
