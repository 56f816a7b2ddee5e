from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.bench import page

if TYPE_CHECKING:
    from pathlib import Path

ORDER = ["First", "Second", "Third"]


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "benchmarks.md"
    monkeypatch.setattr(page, "PATH", path)
    return path


def made(title: str, cell: str) -> str:
    return page.section(title, 3, [("what", "seconds"), ("Berth", cell)], "\n- A note.\n")


def test_a_part_that_is_measured_again_keeps_the_sections_of_the_others(written: Path) -> None:
    page.write([made("Third", "3.0"), made("First", "1.0")], ORDER)
    page.write([made("First", "1.5")], ORDER)
    text = written.read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# Benchmarks",
        "## First",
        "## Third",
    ]
    assert "| Berth | 1.5 |" in text
    assert "| Berth | 3.0 |" in text
    assert "1.0" not in text


def test_a_section_that_is_not_measured_any_more_goes(written: Path) -> None:
    page.write([made("Old", "1.0")], ["Old"])
    page.write([made("First", "2.0")], ORDER)
    assert "Old" not in written.read_text(encoding="utf-8")


def test_a_cell_shows_the_median_with_its_spread() -> None:
    assert page.spread([3.0, 1.0, 2.0], 1) == "2.0 (1.0 to 3.0)"
    assert page.spread([], 1) == "-"


def test_a_ratio_is_that_of_the_medians() -> None:
    assert page.ratio([1.0, 1.0, 9.0], [4.0, 2.0, 6.0]) == "0.25"
    assert page.ratio([1.0], []) == page.ratio([], [1.0]) == page.ratio([1.0], [0.0]) == "-"
