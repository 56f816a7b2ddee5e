"""Each finding about the published releases; the quick look against a manifest of the real tool."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from berth.doctor import releases
from berth.doctor.model import NotApplicableError
from berth.releases import manifest
from tests.unit.doctor.places import said, site

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(etc: Path) -> Path:
    return etc / "shared"


def published(root: Path, **changes: Any) -> Path:
    """Publish one release with one environment of three files; return the environment's prefix."""
    prefix = root / "releases" / "2026.11" / "python-1"
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin" / "python").write_text("#!/bin/sh\n", encoding="utf-8")
    (prefix / "bin" / "python").chmod(0o755)
    (prefix / "bin" / "python3").symlink_to("python")
    (prefix / "lib.txt").write_text("one\n", encoding="utf-8")
    manifest.write(prefix, manifest.Manifest("lock", manifest.survey(prefix), ()))
    kernels = root / "releases" / "2026.11" / "kernels-1"
    (kernels / "kernels" / "py").mkdir(parents=True)
    (kernels / "kernels" / "py" / "kernel.json").write_text("{}", encoding="utf-8")
    layer = root / "layers" / "1" / "bin"
    layer.mkdir(parents=True)
    (layer / "berth-session").touch()
    environment = {"name": "python", "display_name": "Python", "language": "python", "kernel": "py"}
    release = {
        "name": "2026.11",
        "date": "2026-11-01",
        "layer": "1",
        "environments": [environment | {"prefix": str(prefix), "packages": {}}],
        "jupyter_path": str(kernels),
        "conda": None,
        "ends": None,
        "hidden": False,
        "bytes": 1,
        "files": 3,
        "contents": str(root / "contents.json"),
    }
    document = {"version": 2, "releases": [release | changes]}
    (root / "releases" / "index.json").write_text(json.dumps(document), encoding="utf-8")
    return prefix


def soon(days: int) -> str:
    return (dt.datetime.now(tz=dt.UTC).date() + dt.timedelta(days=days)).isoformat()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "ok: published and offered: 2026.11"),
        ({"layer": "none"}, "failure: release 2026.11: its layer ROOT/layers/none is not there"),
        ({"jupyter_path": "/nowhere"}, "release 2026.11: /nowhere/kernels/py/kernel.json is missing"),
        ({"hidden": True}, "failure: no release is offered: nobody can start a session"),
        ({"ends": soon(-2)}, "failure: no release is offered"),
        ({"ends": soon(9)}, "warning: release 2026.11 ends on"),
        ({"bytes": "many"}, "failure: the release index"),
    ],
)
def test_the_index(changes: dict[str, Any], sentence: str, root: Path, etc: Path) -> None:
    published(root, **changes)
    assert sentence in said(releases.index(site(etc))).replace(str(root), "ROOT")


def test_without_an_index_there_are_no_files_to_look_at(etc: Path) -> None:
    assert "failure: cannot read the release index" in said(releases.index(site(etc)))
    with pytest.raises(NotApplicableError, match=r"see the check releases\.index"):
        releases.files(site(etc))


def later(prefix: Path) -> None:
    """Make the manifest older, as it is some seconds after it was written."""
    long_ago = (prefix / manifest.NAME).stat().st_mtime - 100
    os.utime(prefix / manifest.NAME, (long_ago, long_ago))


def test_files_that_are_not_as_they_were_built(root: Path, etc: Path) -> None:
    prefix = published(root)
    assert said(releases.files(site(etc))) == "ok: by a quick look, 1 environments are what was built | "
    later(prefix)
    assert said(releases.files(site(etc))).startswith("ok: ")  # touched, read, and the same
    (prefix / "lib.txt").write_text("two\n", encoding="utf-8")
    assert f"failure: {prefix}/lib.txt: has changed | see all with berth release verify" in said(
        releases.files(site(etc))
    )
    (prefix / "lib.txt").chmod(0o600)
    assert "lib.txt: has another mode or kind than it had" in said(releases.files(site(etc)))
    (prefix / "lib.txt").unlink()
    (prefix / "alien").touch()
    (prefix / "bin" / "python3").unlink()
    (prefix / "bin" / "python3").symlink_to("/tmp/python")  # noqa: S108 - never followed
    text = said(releases.files(site(etc)))
    for sentence in ("lib.txt: is missing", "alien: does not belong", "python3: has changed"):
        assert sentence in text
    (prefix / manifest.NAME).unlink()
    assert "cannot be read" in said(releases.files(site(etc)))


def test_of_a_copy_some_files_are_read_and_those_written_since(
    root: Path, etc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = published(root)
    monkeypatch.setattr(releases, "MOST_READ", 1)
    later(prefix)
    long_ago = (prefix / manifest.NAME).stat().st_mtime - 100
    for path in (prefix / "bin" / "python", prefix / "lib.txt"):
        os.utime(path, (long_ago, long_ago))  # as a copy keeps them; the time of change is now
    os.utime(prefix / "bin" / "python3", (long_ago, long_ago), follow_symlinks=False)
    read: list[str] = []
    describe = manifest.describe

    def noted(path: Path) -> str:
        read.append(path.name)
        return describe(path)

    monkeypatch.setattr(manifest, "describe", noted)
    assert said(releases.files(site(etc))).startswith("ok: ")
    assert read == ["python"]
    (prefix / "lib.txt").write_text("two\n", encoding="utf-8")
    assert "lib.txt: has changed" in said(releases.files(site(etc)))


def test_what_a_node_sees(root: Path, etc: Path) -> None:
    told = {"root": str(root)}
    with pytest.raises(NotApplicableError, match="has no index"):
        releases.seen(site(etc, against=told))
    assert "sessions find no kernels | mount" in said(
        releases.seen(site(etc, against=told | {"releases": "x"}))
    )
    prefix = published(root)
    index = (root / "releases" / "index.json").read_bytes()
    same = told | {"releases": hashlib.sha256(index).hexdigest()}
    assert "ok: this node sees the same 1 releases" in said(releases.seen(site(etc, against=same)))
    assert "is not that of the hub's host" in said(releases.seen(site(etc, against=same | {"releases": "x"})))
    prefix.rename(prefix.with_name("gone"))
    assert f"failure: {prefix} is not here" in said(releases.seen(site(etc, against=same)))
