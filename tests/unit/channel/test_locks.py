from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.releases.channel import locks


class Tool:
    """Stands for `berth release lock`: writes a lock for each environment that it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str]]] = []

    def __call__(self, _: Path, __: Path, target: Path, release: str, names: list[str]) -> None:
        self.asked.append((release, names))
        for name in names:
            (target / release / f"{name}.lock.json").write_text("{}", encoding="utf-8")


@pytest.fixture(name="tool")
def _tool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Tool:
    tool = Tool()
    monkeypatch.setattr(locks, "_solve", tool)
    copy = tmp_path / "specs"
    shutil.copytree(locks.SPECS, copy)
    monkeypatch.setattr(locks, "SPECS", copy)
    return tool


def lock(tmp_path: Path, *, small: bool = False) -> list[str]:
    return list(locks.lock(Path("python"), tmp_path, tmp_path / "locks", small=small))


def test_the_small_channel_locks_what_it_has(tool: Tool, tmp_path: Path) -> None:
    lock(tmp_path, small=True)
    assert tool.asked == [("2026.05", ["conda", "python"]), ("2026.11", ["conda", "python"])]


def test_the_full_channel_locks_the_rest_and_keeps_what_is_locked(tool: Tool, tmp_path: Path) -> None:
    lock(tmp_path, small=True)
    tool.asked.clear()
    lock(tmp_path)
    older, newer = tool.asked
    assert older == ("2026.05", ["julia"])
    assert newer[0] == "2026.11"
    assert {"dask", "pytorch", "julia"} <= set(newer[1])
    assert "python" not in newer[1]


def test_a_second_run_locks_nothing(tool: Tool, tmp_path: Path) -> None:
    lock(tmp_path)
    tool.asked.clear()
    assert lock(tmp_path) == []
    assert tool.asked == []


def test_a_changed_spec_is_locked_anew_and_no_other(tool: Tool, tmp_path: Path) -> None:
    lock(tmp_path)
    tool.asked.clear()
    with (locks.SPECS / "2026.11/dask.yml").open("a", encoding="utf-8") as file:
        file.write("# another\n")
    assert lock(tmp_path) == ["2026.11: dask"]
    assert tool.asked == [("2026.11", ["dask"])]
