from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from berth.session import signatures

if TYPE_CHECKING:
    from pathlib import Path

KEPT = ".local/share/jupyter/nbsignatures.db"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "runtime").mkdir()
    home = tmp_path / "home"
    (home / KEPT).parent.mkdir(parents=True)
    return home


def test_what_a_session_learns_is_there_for_the_next(home: Path) -> None:
    runtime = home.parent / "runtime"
    (home / KEPT).write_bytes(b"old")
    copy = signatures.bring(home, runtime)
    assert copy.read_bytes() == b"old"
    assert copy.parent == runtime
    copy.write_bytes(b"new")
    assert (home / KEPT).read_bytes() == b"old"
    signatures.keep(home, runtime)
    assert (home / KEPT).read_bytes() == b"new"


def test_a_first_session_begins_without_and_makes_one(home: Path) -> None:
    runtime = home.parent / "runtime"
    (home / KEPT).parent.rmdir()
    copy = signatures.bring(home, runtime)
    assert not copy.exists()
    signatures.keep(home, runtime)
    assert not (home / KEPT).exists()
    copy.write_bytes(b"new")
    signatures.keep(home, runtime)
    assert (home / KEPT).read_bytes() == b"new"


def test_what_did_not_change_is_not_written(home: Path) -> None:
    runtime = home.parent / "runtime"
    (home / KEPT).write_bytes(b"old")
    before = (home / KEPT).stat().st_ino
    signatures.bring(home, runtime)
    signatures.keep(home, runtime)
    assert (home / KEPT).stat().st_ino == before


def test_a_home_that_takes_none_keeps_what_it_had(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    runtime = home.parent / "runtime"
    (home / KEPT).write_bytes(b"old")
    signatures.bring(home, runtime).write_bytes(b"new")
    (home / KEPT).with_name(".nbsignatures.db.berth").mkdir()
    signatures.keep(home, runtime)
    assert (home / KEPT).read_bytes() == b"old"
    assert "cannot be kept" in caplog.text
