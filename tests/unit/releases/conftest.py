"""A site of one machine: a channel, specs, a session layer, and the settings that role `releases` writes."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from berth.releases import solve, spec
from berth.releases.apply import Outcome, apply
from berth.releases.settings import Settings, Wanted
from tests.unit.releases import channel
from tests.unit.releases.channel import PLACEHOLDER, Link, Package, pure

if TYPE_CHECKING:
    from collections.abc import Iterator

LAYER = "4.6-1"
NAME = "2026.11"
ROOT = Path(__file__).resolve().parents[3]

PACKAGES = (
    channel.python(),
    # Enough to be published by; a test that starts a kernel brings the real one.
    Package(
        "ipykernel",
        "7.4.0",
        ("python",),
        {"site-packages/ipykernel/__init__.py": "", "site-packages/ipykernel/kernelapp.py": ""},
        "python",
    ),
    pure("numpy", "2.0"),
    pure("numpy", "2.1"),
    pure("dask", "2024.4", depends=("python", "numpy >=2")),
    Package(
        "r-base",
        "4.3.3",
        files={
            "bin/R": "#!/bin/sh\necho R\n",
            "lib/R/data.txt": "R" * 5000,
            "lib/R/link": Link("data.txt"),
            "etc/conda/activate.d/r.sh": "export R_ACTIVE=yes\nset -- changed\n",
            "share/jupyter/kernels/ir/kernel.json": json.dumps(
                {
                    "argv": [f"{PLACEHOLDER}/bin/R", "{connection_file}"],
                    "display_name": "R of the package",
                    "language": "R",
                    "interrupt_mode": "message",
                }
            ),
            "share/jupyter/kernels/ir/logo-64x64.png": b"\x89PNG",
        },
    ),
    Package(
        "conda",
        "24.7",
        ("python",),
        {
            "bin/conda": f"#!/bin/sh\nexec {PLACEHOLDER}/bin/python -m conda\n",
            "condabin/conda": '#!/bin/sh\necho "conda $* of $CONDA_PREFIX"\n',
        },
    ),
)

PYTHON = """
    display_name: Python {python}
    language: python
    kernel: python3
    conda: [python, ipykernel, numpy <2.1]
    packages: [python, numpy]
"""
DASK = """
    display_name: Dask 2024.4
    language: python
    kernel: dask
    conda: [python, ipykernel, dask]
    packages: [dask]
"""
R = """
    display_name: R {r-base}
    language: R
    kernel: ir
    conda: [r-base]
    packages: [r-base]
"""
RELEASE = """
    date: 2026-11-16
    layer: "4.6-1"
    channels: [conda-forge]
    conda: [conda]
    environments: [python, dask, r]
"""


@dataclass
class Site:
    """What a test works on; `channels` is the URL of the channel that stands for conda-forge."""

    place: Path
    channel: Path
    settings: Settings

    @property
    def root(self) -> Path:
        return self.settings.root

    @property
    def channels(self) -> dict[str, str]:
        return {"conda-forge": self.channel.as_uri()}

    def write(self, name: str = NAME, **files: str) -> None:
        """Write a release's specs: the usual ones, changed by file."""
        directory = self.settings.specs_dir / name
        directory.mkdir(parents=True, exist_ok=True)
        for stem, text in {"release": RELEASE, "python": PYTHON, "dask": DASK, "r": R, **files}.items():
            (directory / f"{stem}.yml").write_text(textwrap.dedent(text), encoding="utf-8")

    def lock(self, name: str = NAME, *only: str, **virtual: str) -> dict[str, bool]:
        release = spec.load(self.settings.specs_dir, name)
        done = solve.solve(release, only, self.channels, virtual, self.settings.pip_index)
        return {path.name.removesuffix(".lock.json"): changed for path, changed in done}

    def want(self, *releases: Wanted | str, **changed: Any) -> Settings:
        wanted = [Wanted(item) if isinstance(item, str) else item for item in releases]
        self.settings = replace(self.settings, releases=tuple(wanted), **changed)
        return self.settings

    def apply(self, *, check: bool = False) -> Outcome:
        return apply(self.settings, check=check)

    def prefix(self, environment: str, name: str = NAME) -> Path:
        (found,) = (self.root / name).glob(f"{environment}-*")
        return found

    def settings_file(self) -> Path:
        """Write the settings as role `releases` gives them to the tool."""
        document = dict(vars(self.settings))
        releases = document.pop("releases")
        document |= {"published": [item.name for item in releases]}
        document |= {"hidden": [item.name for item in releases if item.hidden]}
        for key, attribute in (("ends", "ends"), ("layers", "layer"), ("environments", "environments")):
            document[key] = {
                item.name: value for item in releases if (value := getattr(item, attribute)) is not None
            }
        path = self.place / "settings.json"
        path.write_text(json.dumps(document, default=_plain), encoding="utf-8")
        return path

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "berth", "release", *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments), env=ENVIRONMENT, capture_output=True, text=True, check=False
        )


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src")}


def _plain(value: object) -> str:
    assert isinstance(value, Path | dt.date)
    return str(value)


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield channel.make(tmp_path_factory.mktemp("channel"), *PACKAGES)
    # py-rattler's threads can abort a process that ends at the instant at which they do.
    time.sleep(0.5)


@pytest.fixture(scope="session")
def _locks(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = _site(tmp_path_factory.mktemp("locks"), packages)
    site.write()
    site.lock()
    return site.settings.specs_dir


@pytest.fixture
def empty(tmp_path: Path, packages: Path) -> Site:
    """A site without any spec, with a channel of its own."""
    return _site(tmp_path, Path(shutil.copytree(packages, tmp_path / "channel")))


@pytest.fixture
def site(empty: Site, _locks: Path) -> Site:
    """A site with a release that is locked, and wanted."""
    shutil.copytree(_locks, empty.settings.specs_dir, dirs_exist_ok=True)
    empty.want(NAME)
    return empty


def _site(place: Path, packages: Path) -> Site:
    layers = place / "layers"
    (layers / LAYER / "bin").mkdir(parents=True)
    (layers / LAYER / "bin" / "berth-session").touch()
    settings = Settings(
        root=place / "releases",
        layers_dir=layers,
        specs_dir=place / "specs",
        releases=(),
        channels={"conda-forge": packages.as_uri()},
        pip_index="",
        conda_channels=("conda-forge",),
        conda_settings={},
        user_site=False,
    )
    settings.root.mkdir()
    settings.specs_dir.mkdir()
    return Site(place, packages, settings)


@pytest.fixture(autouse=True)
def _caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
