"""Two releases with a real conda each, installed from the tests' channel, and a home of a user's."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.releases.channel import parts
from tests.releases.channel.__main__ import tools
from tests.unit.session.rendered import rendered

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
OLD, NEW = "2026.05", "2026.11"
INSTALL = """
import asyncio, os, sys
from rattler import Channel, Gateway, MatchSpec, VirtualPackage, install, solve
async def main(channel, prefix, *specs):
    found = await solve(
        sources=[Channel(channel)], specs=[MatchSpec(item) for item in specs],
        platforms=["linux-64", "noarch"], gateway=Gateway(),
        virtual_packages=[item.into_generic() for item in VirtualPackage.detect()],
    )
    await install(found, target_prefix=prefix, show_progress=False)
asyncio.run(main(*sys.argv[1:]))
os._exit(0)
"""
CONDARC = """
solver: classic
channels: [conda-forge]
default_channels: []
custom_channels: {{conda-forge: "{url}"}}
envs_dirs: [~/.conda/envs]
pkgs_dirs: ["{pkgs}"]
notify_outdated_conda: false
number_channel_notices: 0
"""


@dataclass(frozen=True)
class Site:
    """Where releases are installed, and what a session says of them."""

    root: Path

    def conda(self, release: str) -> Path:
        return self.root / "releases" / release / "conda-0123"

    @property
    def index(self) -> Path:
        return self.root / "releases" / "index.json"

    @property
    def bashrc(self) -> Path:
        return self.root / "etc" / "bashrc"

    def publish(self, *releases: str) -> None:
        document = {"version": 2, "releases": [self._release(name) for name in releases]}
        self.index.write_text(json.dumps(document), encoding="utf-8")

    def _release(self, name: str) -> dict[str, object]:
        prefix = str(self.root / "releases" / name / "python-0123")
        python = {"name": "python", "display_name": "Python", "language": "python", "kernel": "python3"}
        return {
            "name": name,
            "date": f"{name.replace('.', '-')}-16",
            "layer": "4.6-1",
            "environments": [{**python, "prefix": prefix, "packages": {}}],
            "jupyter_path": f"{prefix}/share/jupyter",
            "conda": str(self.conda(name)),
            "ends": None,
            "hidden": False,
            "bytes": 1,
            "files": 1,
            "contents": f"{prefix}/contents.json",
        }

    def environ(self, home: Path, release: str = NEW) -> dict[str, str]:
        """What a session of a release gives its terminals."""
        return {
            "HOME": str(home),
            "USER": "alice",
            "TERM": "dumb",
            "LANG": "C.UTF-8",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "TMPDIR": tempfile.gettempdir(),  # ipykernel leaves a directory there
            "BERTH_RELEASE": release,
            "BERTH_RELEASES_INDEX": str(self.index),
            "BERTH_CONDA": str(self.conda(release)),
            "BERTH_TOOLS": str(self.root / "tools"),
        }


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """A site with two releases; each has a conda of its own."""
    channel = subprocess.run(
        [sys.executable, "-m", "tests.releases.channel", "small"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout.splitlines()[-1]
    # Scripts name their interpreter by its path, which may not be long.
    with tempfile.TemporaryDirectory(prefix="c-") as place:
        yield _made(Path(place), channel)


def _made(root: Path, channel: str) -> Site:
    made = Site(root)
    (root / "tools").mkdir(parents=True)
    (root / "etc").mkdir()
    (root / "conda-forge").symlink_to(channel)
    for release in (OLD, NEW):
        prefix = made.conda(release)
        prefix.parent.mkdir(parents=True)
        specs = ["conda", "pip", "jupyter_client"]
        python = str(tools(parts.cache()) / "python")
        subprocess.run([python, "-c", INSTALL, f"file://{channel}", str(prefix), *specs], check=True)
        (prefix / ".condarc").write_text(
            CONDARC.format(url=f"file://{root}", pkgs=root / "pkgs"), encoding="utf-8"
        )
    made.publish(OLD, NEW)
    etc = str(root / "etc")
    (root / "etc" / "bashrc").write_text(rendered("session", "bashrc", __session_etc=etc), encoding="utf-8")
    return made


@pytest.fixture
def home(tmp_path: Path) -> Path:
    place = tmp_path / "home"
    place.mkdir()
    return place
