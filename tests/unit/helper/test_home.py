"""A full home refuses a start, and so does one that hangs; all else is the session's business."""

from __future__ import annotations

import dataclasses
import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from berth.helper import home, slurm
from tests.unit.helper.conftest import needs_root
from tests.unit.helper.test_slurm import request

if TYPE_CHECKING:
    from pathlib import Path

    from berth.helper.policy import User
    from berth.helper.settings import Settings


def test_the_test_leaves_nothing_behind(tmp_path: Path) -> None:
    assert home.write_test(str(tmp_path)) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", ["write", "fsync"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_no_space_is_found_at_any_step_and_the_file_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    def full(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, full)
    assert home.write_test(str(tmp_path)) == number
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_is_cut_short_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written, real = [], os.write

    def short(descriptor: int, content: bytes) -> int:
        written.append(real(descriptor, content[:1000]))
        return written[-1]

    monkeypatch.setattr(os, "write", short)
    assert home.write_test(str(tmp_path)) == 0
    assert sum(written) == home.TEST_BYTES


def test_a_name_that_somebody_put_there_is_never_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept")
    place = tmp_path / "home"
    place.mkdir()
    monkeypatch.setattr(os, "urandom", lambda size: b"\0" * size)
    (place / f".berth-{'00' * 8}").symlink_to(victim)
    assert home.write_test(str(place)) == errno.EEXIST
    assert victim.read_text() == "kept"
    assert len(list(place.iterdir())) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (0, None),
        (errno.ENOSPC, "home-full"),
        (errno.EDQUOT, "home-full"),
        (errno.EROFS, None),
        (1, None),
        (-9, None),
    ],
)
def test_only_a_full_home_refuses(
    user: User, monkeypatch: pytest.MonkeyPatch, status: int, error: str | None
) -> None:
    monkeypatch.setattr(subprocess.Popen, "__init__", lambda *_, **__: None)
    monkeypatch.setattr(subprocess.Popen, "__del__", lambda _: None)
    monkeypatch.setattr(subprocess.Popen, "wait", lambda *_: status)
    answer = home.problem(user)
    assert (answer or {}).get("error") == error
    if answer is not None:
        assert answer["ok"] is False
        assert str(answer["message"]).endswith("Nothing was queued.")


def test_a_home_that_hangs_is_not_waited_for(
    user: User, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pipe = tmp_path / "home.py"
    pipe.write_text("import time; time.sleep(600)\n")
    monkeypatch.setattr(home, "__file__", str(pipe))
    monkeypatch.setattr(home, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(slurm, "_run", lambda *_: pytest.fail("something was queued"))
    me = dataclasses.replace(user, uid=os.getuid(), gid=os.getgid(), groups=tuple(os.getgroups()))
    answer = slurm.submit(me, request(), settings)
    assert answer["error"] == "home-unreachable"


@needs_root
def test_the_test_is_made_with_the_rights_of_the_user(user: User, tmp_path: Path) -> None:
    script = "import os; print(os.getuid(), os.getgid(), sorted(os.getgroups()), dict(os.environ))"
    place = tmp_path / "home.py"
    place.write_text(f"import sys\nopen(sys.argv[1] + '/who', 'w').write(repr(({script[18:-1]})))\n")
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents:
        if parent.stat().st_uid == os.getuid() and str(parent) not in {"/", "/tmp"}:  # noqa: S108
            parent.chmod(0o755)
    child = dataclasses.replace(user, home=str(tmp_path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(home, "__file__", str(place))
        patch.setattr(sys, "executable", "/usr/bin/python3")
        place.write_text(
            "import os, sys\n"
            "open(sys.argv[1] + '/who', 'w').write(f'{os.getuid()} {os.getgid()} {sorted(os.getgroups())}')\n"
        )
        assert home.problem(child) is None
    assert (tmp_path / "who").read_text() == f"{user.uid} {user.gid} {sorted(user.groups)}"
