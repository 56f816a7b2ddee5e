from __future__ import annotations

import concurrent.futures
import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from berth.helper import passwords, policy
from berth.helper.protocol import CheckPassword

if TYPE_CHECKING:
    from berth.helper.settings import Settings
    from tests.unit.helper.conftest import Pam


@pytest.fixture(autouse=True)
def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    asked: list[float] = []
    monkeypatch.setattr(time, "sleep", asked.append)
    return asked


@pytest.fixture
def somebody(ordinary: str, pam: Pam) -> str:
    assert not pam.tried
    return ordinary


def outcome(user: str, password: str, settings: Settings) -> object:
    answer = passwords.check(CheckPassword(user, password), settings)
    return answer["ok"] or answer["error"]


def test_the_right_password_lets_in_at_once(somebody: str, settings: Settings, sleeps: list[float]) -> None:
    assert outcome(somebody, "right", settings) is True
    assert sleeps == []


@pytest.mark.parametrize("name", [None, "root", "berth-stranger"], ids=["known", "root", "unknown"])
def test_every_failure_looks_and_lasts_the_same(
    somebody: str, settings: Settings, sleeps: list[float], pam: Pam, name: str | None
) -> None:
    password = "wrong" if name is None else "right"
    answer = passwords.check(CheckPassword(name or somebody, password), settings)
    assert answer == {
        "ok": False,
        "error": "wrong-password",
        "message": "The user name or the password is not right.",
    }
    assert sleeps == [pytest.approx(passwords.FAILURE_SECONDS, abs=0.5)]
    assert len(pam.tried) == 1


def test_a_password_of_root_is_never_tried(settings: Settings, pam: Pam) -> None:
    outcome("root", "right", settings)
    assert pam.tried == ["berth-no-such-user"]


def test_outside_the_group_the_right_password_is_told_why(
    somebody: str, settings: Settings, sleeps: list[float]
) -> None:
    closed = dataclasses.replace(settings, allowed_group="berth-no-such-group")
    assert outcome(somebody, "right", closed) == "not-in-group"
    assert outcome(somebody, "wrong", closed) == "wrong-password"
    assert len(sleeps) == 2


def test_an_expired_account_is_told_so_only_with_the_right_password(
    somebody: str, settings: Settings, pam: Pam
) -> None:
    pam.expired.add(somebody)
    answer = passwords.check(CheckPassword(somebody, "right"), settings)
    assert answer["error"] == "not-allowed"
    assert "User account has expired" in str(answer["message"])
    assert outcome(somebody, "wrong", settings) == "wrong-password"


@pytest.mark.parametrize("name", [None, "root", "berth-stranger"], ids=["known", "root", "unknown"])
def test_after_too_many_wrong_passwords_nothing_is_tried(
    somebody: str, settings: Settings, pam: Pam, name: str | None
) -> None:
    user = name or somebody
    assert [outcome(user, "wrong", settings) for _ in range(3)] == ["wrong-password"] * 3
    assert outcome(user, "right", settings) == "rate-limited"
    assert len(pam.tried) == 3


def test_one_users_limit_is_not_anothers(somebody: str, settings: Settings) -> None:
    for _ in range(4):
        outcome("berth-stranger", "wrong", settings)
    assert outcome(somebody, "right", settings) is True


def test_right_passwords_do_not_count(somebody: str, settings: Settings) -> None:
    assert all(outcome(somebody, "right", settings) is True for _ in range(10))


def test_a_right_password_does_not_wipe_out_the_wrong_ones(somebody: str, settings: Settings) -> None:
    given = ["wrong", "wrong", "right", "wrong", "right"]
    told = [outcome(somebody, password, settings) for password in given]
    assert told == ["wrong-password", "wrong-password", True, "wrong-password", "rate-limited"]


def test_the_limit_ends_with_its_window(
    somebody: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = time.time_ns()
    for _ in range(3):
        outcome(somebody, "wrong", settings)
    monkeypatch.setattr(time, "time_ns", lambda: start + 59 * 10**9)
    assert outcome(somebody, "right", settings) == "rate-limited"
    monkeypatch.setattr(time, "time_ns", lambda: start + 61 * 10**9)
    assert outcome(somebody, "right", settings) is True


def test_attempts_at_the_same_time_are_counted_before_any_is_tried(
    somebody: str, settings: Settings, pam: Pam
) -> None:
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        told = list(pool.map(lambda _: outcome(somebody, "wrong", settings), range(16)))
    assert sorted(map(str, told)) == ["rate-limited"] * 13 + ["wrong-password"] * 3
    assert len(pam.tried) == 3


def test_a_crash_of_pam_counts_as_an_attempt(
    somebody: str, settings: Settings, pam: Pam, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_args: object, **_options: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(pam, "authenticate", crash)
        for _ in range(3):
            with pytest.raises(SystemExit):
                outcome(somebody, "right", settings)
    assert outcome(somebody, "right", settings) == "rate-limited"


def test_the_counts_are_private_and_hold_no_name(somebody: str, settings: Settings) -> None:
    outcome(somebody, "wrong", settings)
    (path,) = Path(settings.password_state_dir).iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert somebody not in path.name + path.read_text()


def test_a_link_in_the_directory_of_counts_is_not_followed(
    somebody: str, settings: Settings, pam: Pam, tmp_path: Path
) -> None:
    outcome(somebody, "wrong", settings)
    (path,) = Path(settings.password_state_dir).iterdir()
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"):
        outcome(somebody, "right", settings)
    assert len(pam.tried) == 1
    assert not (tmp_path / "elsewhere").exists()


def test_made_up_names_cannot_fill_the_disk(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_verify", lambda *_: {"ok": True})
    for number in range(2000):
        outcome(f"stranger{number}", "wrong", settings)
    names = [path.name for path in Path(settings.password_state_dir).iterdir()]
    assert all(len(name) == 4 and set(name) <= set("0123456789abcdef") for name in names)


def test_an_account_below_the_first_uid_is_a_stranger(settings: Settings, pam: Pam, ordinary: str) -> None:
    strict = dataclasses.replace(settings, min_uid=2**31)
    assert policy.find_user(ordinary, settings).name == ordinary
    assert outcome(ordinary, "right", strict) == "wrong-password"
    assert pam.tried == ["berth-no-such-user"]
