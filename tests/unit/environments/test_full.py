"""`berth env create` in a home that becomes full: it says so, leaves nothing, and later works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit import disks
from tests.unit.environments.test_command import Berth

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.environments.conftest import Site

pytestmark = [pytest.mark.slow, disks.needs_mount]
SENTENCE = "there is no space left, or your quota is used up"


@pytest.fixture
def berth(site: Site, tmp_path: Path) -> Iterator[Berth]:
    with disks.mounted(tmp_path / "home", "400m") as home:
        yield Berth(site, home)


@pytest.mark.parametrize(
    ("size", "packages"),
    [("64k", ".conda/pkgs"), ("20m", ".conda/pkgs"), ("120m", ".conda/pkgs"), ("60m", "../pkgs")],
    ids=["at the first file", "while it downloads", "while it unpacks", "while it installs"],
)
def test_a_home_that_becomes_full_is_told_and_the_next_call_works(
    berth: Berth, size: str, packages: str
) -> None:
    more: dict[str, Any] = {"CONDA_PKGS_DIRS": str(berth.home / packages)}
    disks.resize(berth.home, size)
    done = berth.run("create", "mine", **more)
    assert done.returncode == 1
    assert SENTENCE in done.stderr.splitlines()[-1]
    assert "conda clean --all" in done.stderr.splitlines()[-1]
    assert "No space left" in done.stderr, "conda's own words are there, too"
    assert berth.left() == []
    assert berth.rows() == {}

    disks.resize(berth.home, "400m")
    done = berth.run("create", "mine", **more)
    assert done.returncode == 0, done.stdout + done.stderr
    assert berth.rows()["mine"]["state"] == "ok"


def test_a_home_without_any_room_is_told_and_nothing_else_is_touched(berth: Berth) -> None:
    """The mark that an environment is unfinished is empty then: it names nothing that may be removed."""
    lock = berth.home / ".berth/environments/.mine.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text(" " * 200, encoding="utf-8")  # one that was there before
    work = berth.home / "work"
    work.mkdir()
    (work / "thesis").touch()
    for _ in range(2):
        filler = disks.fill(berth.home)
        done = berth.run("create", "mine", cwd=work)
        assert done.returncode == 1
        assert SENTENCE in done.stderr.splitlines()[-1]
        filler.unlink()
        assert (work / "thesis").exists()
        assert berth.left() == []
    done = berth.run("create", "mine", cwd=work)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (work / "thesis").exists()


@pytest.mark.parametrize("text", ["", ".", "work", "../work", "/home/alice/work"])
def test_a_mark_that_names_no_environment_of_that_name_removes_nothing(berth: Berth, text: str) -> None:
    mark = berth.home / ".berth/environments/mine.unfinished"
    mark.parent.mkdir(parents=True)
    work = berth.home / "work"
    work.mkdir()
    (work / "thesis").touch()
    mark.write_text(text.replace("/home/alice", str(berth.home)), encoding="utf-8")
    done = berth.run("create", "mine", "no-such-package", cwd=work)
    assert done.returncode == 1
    assert "no-such-package" in done.stdout + done.stderr
    assert (work / "thesis").exists()
    assert not mark.exists()
