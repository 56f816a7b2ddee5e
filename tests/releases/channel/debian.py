"""Packages of one Debian suite, checked by apt against its signatures, unpacked into a directory.

An apt of its own (lists, status, cache) asks this machine's mirror, whatever suite the machine itself runs.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MIRROR = "BERTH_DEBIAN_MIRROR"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
GLIBC = {"bullseye": "2.31", "bookworm": "2.36"}
RELEASES = re.compile(r"(bullseye|bookworm|trixie|forky|sid|(old)*stable|testing|unstable)(-security)?")
SETTINGS = """\
Dir::State "{root}/state";
Dir::State::status "{root}/status";
Dir::Cache "{root}/cache";
Dir::Etc::sourcelist "{root}/sources.list";
Dir::Etc::sourceparts "{root}/none";
Dir::Etc::preferencesparts "{root}/none";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
"""


class DebianError(Exception):
    """Debian's packages cannot be had here; the message says what to do."""


@dataclass(frozen=True)
class Suite:
    """A suite, and the directory where its apt keeps everything."""

    name: str
    directory: Path

    @property
    def root(self) -> Path:
        """Where packages are unpacked."""
        return self.directory / "root"

    @property
    def glibc(self) -> str:
        """What its programs ask of a machine, as conda says it."""
        return f"__glibc >={GLIBC[self.name]}"

    def unpack(self, *packages: str) -> None:
        """Unpack packages with all that they depend on."""
        downloaded = self.directory / "cache/archives"
        self._apt("install", "--yes", "--download-only", *packages)
        self.root.mkdir(exist_ok=True)
        for path in sorted(downloaded.glob("*.deb")):
            subprocess.run(["dpkg-deb", "--extract", path, self.root], check=True)
            path.unlink()

    def version(self, package: str) -> str:
        """The upstream version of a package, at most three numbers, without what Debian adds."""
        told = self._apt("show", package, program="apt-cache")
        found = re.search(r"^Version: (?:\d+:)?(\d+(?:\.\d+){0,2})", told, re.MULTILINE)
        if found is None:
            raise DebianError(f"Debian's {self.name} has no {package}.")
        return found[1]

    @cached_property
    def _settings(self) -> Path:
        for name in ("state/lists/partial", "cache/archives/partial", "none"):
            (self.directory / name).mkdir(parents=True)
        (self.directory / "status").touch()
        sources = "".join(f"deb [signed-by={KEYRING}] {uri} {name} main\n" for uri, name in self._sources())
        (self.directory / "sources.list").write_text(sources, encoding="utf-8")
        settings = self.directory / "apt.conf"
        settings.write_text(SETTINGS.format(root=self.directory), encoding="utf-8")
        _run(["apt-get", "update", "--quiet"], settings)
        return settings

    def _sources(self) -> Iterable[tuple[str, str]]:
        named = os.environ.get(MIRROR)
        mirrors = {False: named} if named else mirrors_of_this_machine()
        if not mirrors.get(False):
            raise DebianError(
                f"No source of this machine's apt is Debian, from whose {self.name} the channel takes "
                f"packages. Name a mirror: {MIRROR}=http://mirror/debian."
            )
        for security, suffix in ((False, ""), (True, "-security")):
            uri = mirrors.get(security)
            # The suites that have left support have no security updates any more.
            if uri and not (security and self.name == "bullseye"):
                yield uri, self.name + suffix

    def _apt(self, *words: str, program: str = "apt-get") -> str:
        return _run([program, "--quiet", *words], self._settings)


def mirrors_of_this_machine() -> dict[bool, str]:
    """The mirrors that this machine's apt uses for Debian (False) and its security updates (True)."""
    wanted = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"]
    found: dict[bool, str] = {}
    for line in _run(wanted, None).splitlines():
        uri, _, release = line.partition(" ")
        match = RELEASES.fullmatch(release)
        if match:
            found.setdefault(bool(match[3]), uri)
    return found


def _run(command: list[str], settings: Path | None) -> str:
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    if settings:
        environment["APT_CONFIG"] = str(settings)
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise DebianError(
            f"{command[0]} is not here: make the channel on a machine with Debian's apt (Debian, Ubuntu)."
        ) from None
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise DebianError(
            f"`{' '.join(command)}` failed: {''.join(last)}. See that this machine reaches a Debian mirror, "
            f"or name one: {MIRROR}=http://mirror/debian."
        )
    return done.stdout
