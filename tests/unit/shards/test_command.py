from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.shards import __main__ as command
from tests.shards import plan

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(wanted: list[object]) -> bool:
        pytest.fail(f"{wanted} would be run")

    monkeypatch.setattr(command, "run", run)


@pytest.mark.parametrize("words", [["cores"], ["core", "cores"]])
def test_a_shard_that_is_not_there_is_named_with_those_that_are(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(words) == 2
    said = capsys.readouterr().err
    assert said.startswith("there is no shard cores; there are core, existing_cluster, ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("words", [["full"], ["core"], ["due"]])
def test_a_program_that_is_not_on_path_is_named_before_anything_runs(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    git = shutil.which("git")
    assert git
    (tmp_path / "git").symlink_to(git)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("BERTH_RESUME", raising=False)
    assert command.main(words) == 2
    said = capsys.readouterr().err
    assert said == "molecule, pytest: not on PATH; put .venv/bin there, as `make` does\n"


def test_nothing_that_is_asked_for_is_answered_with_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([]) == 2
    assert capsys.readouterr().err.startswith("usage: python -m tests.shards list|due|full|core|")


def test_shards_that_are_described_wrongly_are_said_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "shards.yml"
    written.write_text("one: {proves: it, lab: test, scenario: one, onto: two}\n", encoding="utf-8")
    monkeypatch.setattr(plan, "SHARDS", written)
    assert command.main(["list"]) == 2
    assert capsys.readouterr().err == "one: `onto` names a scenario that no shard has\n"
