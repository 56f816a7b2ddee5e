"""An archive is whole or refused; what is brought back is what only the host knew, as it was."""

from __future__ import annotations

import getpass
import json
import sqlite3
import subprocess
import tarfile
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from berth.hub.backup import archive, cli, restore
from berth.hub.backup.archive import BackupError, Member
from tests.unit.hub.factories import HUB

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    etc = tmp_path / "etc"
    (etc / "tls").mkdir(parents=True)
    for name, text in {"proxy.env": "SECRET=1\n", "tls/hub.key": "key\n", "hub.yml": "a: 1\n"}.items():
        (etc / name).write_text(text)
        (etc / name).chmod(0o640)
    return [etc / name for name in ("proxy.env", "tls/hub.key", "hub.yml")]


@pytest.fixture
def made(tmp_path: Path, files: list[Path]) -> Path:
    work = tmp_path / "work"
    work.mkdir()
    with closing(sqlite3.connect(work / "hub.sqlite")) as database, database:
        database.execute("CREATE TABLE spawners (state TEXT)")
        database.execute("INSERT INTO spawners VALUES (?)", (json.dumps({"session": {"nonce": "a" * 32}}),))
    return archive.write(tmp_path / "kept", work / "hub.sqlite", files)


def opened(made: Path, tmp_path: Path, name: str = "opened") -> archive.Opened:
    directory = tmp_path / name
    directory.mkdir()
    return archive.unpack(made, directory)


def test_an_archive_is_for_its_owner_only_and_comes_back_as_it_was(
    made: Path, files: list[Path], tmp_path: Path
) -> None:
    assert made.stat().st_mode & 0o777 == 0o600
    assert made.parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in made.parent.iterdir()] == [made.name]
    found = opened(made, tmp_path)
    assert {item.path: path.read_bytes() for path, item in found.files()} == {
        str(path): path.read_bytes() for path in files
    }
    assert {(item.mode, item.owner) for _, item in found.files()} == {(0o640, getpass.getuser())}
    assert found.database.stat().st_size > 0
    assert found.manifest["made_at"] > 0


def rewritten(made: Path, tmp_path: Path, change: str, content: bytes) -> Path:
    """The archive with one member's content replaced."""
    inside = tmp_path / "inside"
    with tarfile.open(made) as tar:
        tar.extractall(inside, filter="data")
    (inside / change).write_bytes(content)
    target = tmp_path / "changed.tar.gz"
    with tarfile.open(target, "w:gz") as tar:
        for path in sorted(path for path in inside.rglob("*") if path.is_file()):
            tar.add(path, arcname=path.relative_to(inside).as_posix())
    return target


@pytest.mark.parametrize("member", ["hub.sqlite", "files/001"])
def test_a_changed_member_is_named(made: Path, tmp_path: Path, member: str) -> None:
    with pytest.raises(BackupError, match=f"damaged: {member}"):
        opened(rewritten(made, tmp_path, member, b"other"), tmp_path)


@pytest.mark.parametrize(
    "manifest",
    [
        b"{",
        b"[]",
        b'{"format": 1}',
        b'{"format": 1, "members": {"../evil": {"sha256": ""}}}',
        b'{"format": 9}',
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(made: Path, tmp_path: Path, manifest: bytes) -> None:
    with pytest.raises(BackupError):
        opened(rewritten(made, tmp_path, "manifest.json", manifest), tmp_path)
    assert not (tmp_path / "evil").exists()


def test_a_cut_archive_is_refused(made: Path, tmp_path: Path) -> None:
    made.write_bytes(made.read_bytes()[:-40])
    with pytest.raises(BackupError, match="is not a backup of the hub, or is damaged"):
        opened(made, tmp_path)


def test_only_archives_are_removed_and_the_youngest_stay(tmp_path: Path) -> None:
    names = [f"berth-2026010{day}T000000Z.tar.gz" for day in range(1, 6)]
    for name in [*names, "notes.txt"]:
        (tmp_path / name).touch()
    assert [path.name for path in archive.prune(tmp_path, 2)] == names[:3]
    assert sorted(path.name for path in tmp_path.iterdir()) == [*names[3:], "notes.txt"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/etc/berth/proxy.env", True),
        ("/etc/berth/tls/ca.key", True),
        ("/var/lib/berth-hub/cookie_secret", True),
        ("/var/lib/berth-hub/notices.json", True),
        ("/var/lib/berth-hub/hub.sqlite", False),
        ("/etc/berth/hub.yml", False),
        ("/etc/berth/database.env", False),
        ("/etc/berth/tls/../../passwd", False),
        ("/etc/passwd", False),
    ],
)
def test_only_what_the_host_alone_knew_is_brought_back(path: str, *, expected: bool) -> None:
    assert (restore.MADE_HERE.fullmatch(path) is not None) == expected


def test_a_file_is_put_back_with_owner_and_mode(tmp_path: Path) -> None:
    (tmp_path / "source").write_text("content")
    target = tmp_path / "tls" / "hub.key"
    restore.replace(tmp_path / "source", Member("", str(target), 0o640, getpass.getuser()))
    assert target.read_text() == "content"
    assert target.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in target.parent.iterdir()] == ["hub.key"]


def test_an_owner_who_is_not_there_yet_is_told(tmp_path: Path) -> None:
    (tmp_path / "source").write_text("content")
    with pytest.raises(BackupError, match="there is no user nobody-at-all"):
        restore.replace(tmp_path / "source", Member("", str(tmp_path / "x"), 0o600, "nobody-at-all"))
    assert not (tmp_path / "x").exists()


def test_sessions_that_the_backup_does_not_know_are_listed(made: Path, tmp_path: Path) -> None:
    squeue = tmp_path / "squeue"
    rows = [f"7 alice berth-{'a' * 32}", f"8 bob berth-{'b' * 32}", "9 bob train.sh"]
    squeue.write_text("#!/bin/sh\n" + "".join(f"echo '{row}'\n" for row in rows))
    squeue.chmod(0o755)
    hub = HUB.model_copy(update={"slurm": HUB.slurm.model_copy(update={"bin_dir": tmp_path})})
    assert restore.unknown_jobs(opened(made, tmp_path), hub) == ["job 8 of bob"]
    squeue.unlink()
    (said,) = restore.unknown_jobs(opened(made, tmp_path, "again"), hub)
    assert said.startswith("Slurm could not be asked")


def test_what_the_database_s_command_says_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def run(argv: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        seen.append(argv)
        return subprocess.CompletedProcess(argv, 1, b"", b"the server is away\n")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(BackupError, match="the server is away"):
        cli._database("dump")
    assert "--property=User=berth-hub" in seen[0]
    assert not any("PGPASSWORD" in word for word in seen[0])
