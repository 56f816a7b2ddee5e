"""Where files cannot be shared by hard links they are copied: all of it is built, and the run says so."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from berth.releases import keep
from tests.unit import disks
from tests.unit.releases.conftest import DASK, ENVIRONMENT, NAME
from tests.unit.releases.test_build import NUMPY, tree

if TYPE_CHECKING:
    from tests.unit.releases.conftest import Site

REFUSING = str(Path(__file__).with_name("refusing.py"))
NUMBERS = [errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK]


@pytest.mark.parametrize("number", NUMBERS, ids=errno.errorcode.get)
def test_without_hard_links_the_same_is_built_from_copies(site: Site, number: int) -> None:
    site.apply()
    expected = tree(site.root)
    subprocess.run(["rm", "-r", str(site.root)], check=True)
    site.root.mkdir()
    build = site.command("build", "--settings", str(site.settings_file()), "--json")
    done = subprocess.run(
        [sys.executable, REFUSING, str(number), *build],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {**tree(site.root), "index.json": ""} == {**expected, "index.json": ""}  # it has the size
    assert list(keep.verify(site.root, [])) == []
    assert {path.stat().st_nlink for path in (site.root / NAME).rglob("*") if path.is_file()} == {1}
    said = [line for line in json.loads(done.stdout)["report"] if "copies" in line]
    why = f"no hard links between packages and environments ({os.strerror(number)})"
    note = f"{site.root}: {why}: environments hold copies, which take their full size each"
    assert said == ([] if number == errno.EMLINK else [note])  # that is about single files


@pytest.mark.slow
@disks.needs_mount
def test_packages_on_another_file_system_are_copied(site: Site) -> None:
    with disks.mounted(site.root / ".packages", "100m"):
        outcome = site.apply()
        assert len(outcome.notes) == 1
        assert os.strerror(errno.EXDEV) in outcome.notes[0]
        assert list(keep.verify(site.root, [])) == []
        assert site.prefix("python").joinpath(NUMPY).stat().st_nlink == 1
        assert site.apply().notes == ()  # nothing was built


def test_a_file_with_as_many_links_as_it_may_have_is_copied(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file system has such a limit, another one has none: only the call that meets it is replaced."""
    site.apply()
    shared = site.prefix("python").joinpath(NUMPY)
    link = os.link

    def limited(source: Path, target: Path) -> None:
        if ".packages" in str(source):
            raise OSError(errno.EMLINK, os.strerror(errno.EMLINK))
        link(source, target)

    monkeypatch.setattr("os.link", limited)
    site.write("2027.05", dask=DASK)
    site.lock("2027.05")
    site.want(NAME, "2027.05")
    site.apply()
    assert list(keep.verify(site.root, [])) == []
    assert site.prefix("python", "2027.05").joinpath(NUMPY).read_bytes() == shared.read_bytes()


def test_with_hard_links_nothing_is_said_of_them(site: Site) -> None:
    assert site.apply().notes == ()
