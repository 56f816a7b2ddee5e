"""The site's environment comes from its profile, and a bad profile costs only that."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from berth.session import profile

if TYPE_CHECKING:
    from pathlib import Path

BEFORE = {"PATH": "/usr/bin:/bin", "USER": "alice", "GONE": "soon", "KEPT": "as it is"}


def applied(path: Path, environ: dict[str, str] | None = None) -> dict[str, str]:
    result = dict(BEFORE) if environ is None else environ
    profile.Profile(path, BEFORE).apply(result)
    return result


def test_what_the_profile_sets_changes_and_unsets_is_applied(tmp_path: Path) -> None:
    path = tmp_path / "profile.sh"
    path.write_text(
        "export WORK=/work/$USER LINES='a\nb'; export PATH=/opt/bin:$PATH; unset GONE\n"
        "module() { :; }; export -f module; not_exported=1; echo noise\n",
        encoding="utf-8",
    )
    result = applied(path)
    assert result["WORK"] == "/work/alice"
    assert result["LINES"] == "a\nb"
    assert result["PATH"] == "/opt/bin:/usr/bin:/bin"
    assert result["KEPT"] == "as it is"
    assert result["BASH_ENV"] == str(path)
    assert "module" in str(sorted(result))
    assert result.keys().isdisjoint({"GONE", "not_exported", "SHLVL", "PWD", "_"})


def test_what_changed_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "profile.sh"
    path.write_text("export WORK=/work\n", encoding="utf-8")
    result = applied(path, {**BEFORE, "PATH": "/layer/bin", "NEW": "1"})
    assert result["PATH"] == "/layer/bin"
    assert result["NEW"] == "1"


def test_without_a_profile_nothing_changes(tmp_path: Path) -> None:
    assert applied(tmp_path / "none.sh") == BEFORE


@pytest.mark.parametrize("text", ["exit 3\n", "export A=1\n)\n"])
def test_a_profile_that_fails_is_said_and_costs_only_its_variables(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    path = tmp_path / "profile.sh"
    path.write_text(text, encoding="utf-8")
    result = applied(path)
    assert {name: result[name] for name in BEFORE} == BEFORE
    assert "A" not in result
    assert "the site's environment is missing" in caplog.text


def test_a_profile_that_hangs_is_given_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile, "_TIMEOUT_SECONDS", 0.5)
    path = tmp_path / "profile.sh"
    path.write_text("sleep 60\n", encoding="utf-8")
    start = time.monotonic()
    assert applied(path)["KEPT"] == "as it is"
    assert time.monotonic() - start < 30
    assert "the site's environment is missing" in caplog.text
