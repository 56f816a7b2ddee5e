"""One holder at a time, with processes that race and with file systems that have no flock."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from berth.session import lock
from berth.session.lock import HeldError, HomeLock

if TYPE_CHECKING:
    from pathlib import Path

SOURCES = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
# Takes the lock, counts who is inside at the same time by files, and tells when there were two.
RACER = """
import errno, fcntl, os, sys, time
from pathlib import Path
from berth.session.lock import HeldError, HomeLock
place, without_flock = Path(sys.argv[1]), sys.argv[2] == "without"
if without_flock:
    def refuse(*_): raise OSError(errno.ENOLCK, "no locks")
    fcntl.flock = refuse
held = 0
until = time.monotonic() + 3
while time.monotonic() < until:
    try:
        with HomeLock(place / "lock"):
            inside = place / "inside"
            inside.touch(exist_ok=False)
            time.sleep(0.002)
            inside.unlink()
            held += 1
    except HeldError:
        time.sleep(0.001)
print(held)
"""

# Rounds in which three processes find the lock of one that died with it. One of the three dies with it, too.
HEIRS = """
import errno, fcntl, os, sys, time
from pathlib import Path
from berth.session.lock import HeldError, HomeLock
place, rounds = Path(sys.argv[1]), int(sys.argv[2])
def refuse(*_): raise OSError(errno.ENOLCK, "no locks")
fcntl.flock = refuse
def die_with_it():
    HomeLock(place / "lock")
    os._exit(0)
def inherit(start, dies):
    while time.monotonic() < start:
        pass
    until = start + 30
    while time.monotonic() < until:
        try:
            lock = HomeLock(place / "lock")
        except HeldError:
            time.sleep(0.0005)
            continue
        try:
            (place / "inside").touch(exist_ok=False)
        except FileExistsError:
            os._exit(3)
        time.sleep(0.0005)
        (place / "inside").unlink()
        if not dies:
            lock.release()
        os._exit(0)
    os._exit(4)
def child(work, *arguments):
    pid = os.fork()
    if pid == 0:
        try:
            work(*arguments)
        finally:
            sys.excepthook(*sys.exc_info())
            os._exit(5)
    return pid
for number in range(rounds):
    os.waitpid(child(die_with_it), 0)
    start = time.monotonic() + 0.01
    heirs = [child(inherit, start, index == number % 4) for index in range(3)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in heirs]
    if codes != [0, 0, 0]:
        sys.exit(f"round {number}: {codes} (3: two were inside, 4: it was never had)")
print(rounds)
"""


@pytest.fixture
def without_flock(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["with", "without"])
def test_of_processes_that_race_one_at_a_time_is_inside(tmp_path: Path, kind: str) -> None:
    command = [sys.executable, "-c", RACER, str(tmp_path), kind]
    racers = [
        subprocess.Popen(command, env=SOURCES, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    ended = [racer.communicate(timeout=60) for racer in racers]
    assert [racer.returncode for racer in racers] == [0] * 4, ended
    assert sum(int(out) for out, _ in ended) > 10


@pytest.mark.slow
def test_of_three_that_find_the_lock_of_a_dead_one_never_two_have_it_at_once(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HEIRS, str(tmp_path), "500"],
        env=SOURCES,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "500\n"), done.stderr


def test_a_second_holder_is_refused_with_the_first_one_s_name(tmp_path: Path) -> None:
    with (
        HomeLock(tmp_path / "lock"),
        pytest.raises(HeldError, match=f"process {os.getpid()} on {socket.gethostname()}"),
    ):
        HomeLock(tmp_path / "lock")
    HomeLock(tmp_path / "lock").release()


@pytest.mark.usefixtures("without_flock")
def test_without_flock_a_second_holder_is_refused_too(tmp_path: Path) -> None:
    with HomeLock(tmp_path / "lock") as held:
        assert held.inherited == ()
        with pytest.raises(HeldError, match=f"process {os.getpid()} on"):
            HomeLock(tmp_path / "lock")
    HomeLock(tmp_path / "lock").release()


def test_a_child_keeps_the_lock_that_it_inherited(tmp_path: Path) -> None:
    with HomeLock(tmp_path / "lock") as held:
        child = subprocess.Popen(["sleep", "60"], pass_fds=held.inherited)
    try:
        with pytest.raises(HeldError):
            HomeLock(tmp_path / "lock")
    finally:
        child.kill()
        child.wait()
    HomeLock(tmp_path / "lock").release()


def left_behind(path: Path, **changed: object) -> None:
    """A lock without flock whose owner did not give it back."""
    owner = {"host": socket.gethostname(), "pid": 2**22 + 1, "started": "1", "since": 0, **changed}
    numbers = path.with_name(f"{path.name}.d")
    directory = numbers / str(1 + len(list(numbers.glob("*"))))
    directory.mkdir(parents=True)
    (directory / "owner").write_text(json.dumps(owner), encoding="utf-8")


@pytest.mark.usefixtures("without_flock")
def test_a_lock_whose_process_is_gone_is_taken_over_at_once(tmp_path: Path) -> None:
    left_behind(tmp_path / "lock")
    HomeLock(tmp_path / "lock").release()
    # The number was given to another process meanwhile: that one started at another time.
    left_behind(tmp_path / "lock", pid=os.getpid())
    HomeLock(tmp_path / "lock").release()


@pytest.mark.usefixtures("without_flock")
def test_a_lock_that_is_taken_often_leaves_little_in_the_home(tmp_path: Path) -> None:
    for _ in range(30):
        HomeLock(tmp_path / "lock").release()
    assert len(list((tmp_path / "lock.d").rglob("*"))) < 10


@pytest.mark.usefixtures("without_flock")
def test_a_lock_whose_process_waits_for_its_parent_only_is_taken_over(tmp_path: Path) -> None:
    gone = os.fork()
    if gone == 0:
        HomeLock(tmp_path / "lock")
        os._exit(0)
    try:
        os.waitid(os.P_PID, gone, os.WEXITED | os.WNOWAIT)
        HomeLock(tmp_path / "lock").release()
    finally:
        os.waitpid(gone, 0)


@pytest.mark.usefixtures("without_flock")
def test_a_home_that_is_full_leaves_nobody_to_wait_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.write_bytes", full)
        with pytest.raises(OSError, match="No space"):
            HomeLock(tmp_path / "lock")
    HomeLock(tmp_path / "lock").release()


@pytest.mark.usefixtures("without_flock")
def test_a_lock_of_another_node_is_left_until_it_has_been_silent_for_long(tmp_path: Path) -> None:
    left_behind(tmp_path / "lock", host="gpu99")
    with pytest.raises(HeldError, match="on gpu99"):
        HomeLock(tmp_path / "lock")
    silent = time.time() - lock.STALE_SECONDS - 1
    os.utime(tmp_path / "lock.d/1", (silent, silent))
    HomeLock(tmp_path / "lock").release()


@pytest.mark.usefixtures("without_flock")
def test_a_holder_says_that_it_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "HEARTBEAT_SECONDS", 0.05)
    with HomeLock(tmp_path / "lock"):
        os.utime(tmp_path / "lock.d/1", (0, 0))
        deadline = time.monotonic() + 30
        while (tmp_path / "lock.d/1").stat().st_mtime < 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert (tmp_path / "lock.d/1").stat().st_mtime > 1


def test_a_killed_holder_leaves_nothing_held(tmp_path: Path) -> None:
    script = "import sys, time; from pathlib import Path; from berth.session.lock import HomeLock\n"
    script += "lock = HomeLock(Path(sys.argv[1])); print(1, flush=True); time.sleep(60)"
    command = [sys.executable, "-c", script, str(tmp_path / "lock")]
    holder = subprocess.Popen(command, env=SOURCES, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"1\n"
    with pytest.raises(HeldError):
        HomeLock(tmp_path / "lock")
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    HomeLock(tmp_path / "lock").release()


def test_a_home_that_cannot_be_written_is_an_error_of_its_own() -> None:
    from pathlib import Path  # noqa: PLC0415

    with pytest.raises(OSError, match="proc"):
        HomeLock(Path("/proc/none/lock"))
