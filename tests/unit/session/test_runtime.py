"""The private directory: the user's alone, on a place that works, gone with the session."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from berth.session import runtime
from berth.session.errors import SessionError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def place() -> Iterator[Path]:
    # pytest's own directories have paths that are too long for unix sockets.
    with tempfile.TemporaryDirectory(prefix="r-") as path:
        yield Path(path)


def age(path: Path, seconds: int = 3600) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_it_is_the_user_s_alone_and_goes_with_the_session(place: Path) -> None:
    with runtime.create([str(place)]) as private:
        assert private.path.stat().st_mode & 0o777 == 0o700
        (private.path / "kernel-ipc-1").touch()
    assert list(place.iterdir()) == []


def test_it_goes_with_a_session_that_fails(place: Path) -> None:
    def fail() -> None:
        with runtime.create([str(place)]):
            raise SystemExit(143)

    with pytest.raises(SystemExit):
        fail()
    assert list(place.iterdir()) == []


def test_places_that_do_not_work_are_passed_over(place: Path) -> None:
    long = place / ("x" * 60)
    long.mkdir()
    with runtime.create([str(long), "/proc/none", str(place)]) as private:
        assert private.path.parent == place
    with pytest.raises(SessionError, match=r"too long.*/proc/none: No such file"):
        runtime.create([str(long), "/proc/none"])


def test_what_a_killed_session_left_is_removed_and_a_living_one_stays(place: Path) -> None:
    killed = place / "berth-session-00000000"
    killed.mkdir()
    (killed / "kernel.json").touch()
    age(killed)
    young = place / "berth-session-11111111"
    young.mkdir()
    other = place / "berth-sessions"
    other.mkdir()
    age(other)
    with runtime.create([str(place)]) as living:
        age(living.path)
        with runtime.create([str(place)]) as second:
            assert living.path.is_dir()
            assert second.path != living.path
        assert not killed.exists()
        assert young.is_dir()
        assert other.is_dir()


def test_a_link_with_the_name_of_a_directory_is_not_followed(place: Path) -> None:
    precious = place / "precious"
    precious.mkdir()
    (precious / "file").touch()
    link = place / "berth-session-22222222"
    link.symlink_to(precious)
    then = time.time() - 3600
    os.utime(link, (then, then), follow_symlinks=False)
    with runtime.create([str(place)]):
        pass
    assert (precious / "file").is_file()


LOG = """
import sys
from pathlib import Path
from berth.session import runtime
path = runtime.open_log(Path(sys.argv[1]), Path(sys.argv[2]), "17", kept=20, days=int(sys.argv[4]))
print("out")
sys.stderr.write("err\\n")
Path(sys.argv[3]).write_text(str(path))
"""


def log_of(home: Path, private: Path, days: int = 0) -> Path:
    """Run a process that opens its log; where it did."""
    answer = private / "answer"
    subprocess.run(
        [sys.executable, "-c", LOG, str(home), str(private), str(answer), str(days)],
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return Path(answer.read_text(encoding="utf-8"))


def test_the_log_lies_in_the_home_and_is_private(tmp_path: Path) -> None:
    path = log_of(tmp_path, tmp_path)
    assert path == tmp_path / ".berth" / "log" / "session-17.log"
    assert sorted(path.read_text(encoding="utf-8").splitlines()) == ["err", "out", "session starts"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_newest_logs_are_kept(tmp_path: Path) -> None:
    directory = tmp_path / ".berth" / "log"
    directory.mkdir(parents=True)
    for number in range(100, 130):
        old = directory / f"session-{number}.log"
        old.touch()
        age(old, 1000 - number)
    log_of(tmp_path, tmp_path)
    kept = sorted(path.name for path in directory.iterdir())
    assert kept == [f"session-{number}.log" for number in [*range(111, 130), 17]]


def test_old_logs_go_however_few_there_are(tmp_path: Path) -> None:
    directory = tmp_path / ".berth" / "log"
    directory.mkdir(parents=True)
    for number, days in ((15, 8), (16, 6)):
        (directory / f"session-{number}.log").touch()
        age(directory / f"session-{number}.log", days * 86400)
    (directory / "prepare-julia-0123.log").touch()
    age(directory / "prepare-julia-0123.log", 8 * 86400)
    log_of(tmp_path, tmp_path, days=7)
    kept = sorted(path.name for path in directory.iterdir())
    assert kept == ["prepare-julia-0123.log", "session-16.log", "session-17.log"]


@pytest.mark.parametrize("home", ["/proc/none", "/dev/null/home"])
def test_without_a_home_the_log_lies_on_the_node(tmp_path: Path, home: str) -> None:
    path = log_of(Path(home), tmp_path)
    assert path == tmp_path / "session-17.log"
    assert "the home cannot be written" in path.read_text(encoding="utf-8")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the kernel's full device")
def test_a_home_without_room_sends_the_log_to_the_node(tmp_path: Path) -> None:
    directory = tmp_path / ".berth" / "log"
    directory.mkdir(parents=True)
    (directory / "session-17.log").symlink_to("/dev/full")
    path = log_of(tmp_path, tmp_path)
    assert path == tmp_path / "session-17.log"
