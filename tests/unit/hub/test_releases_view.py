"""What the catalogue tells of a release, and of the difference between two."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from berth.hub.releases import amounts, view
from berth.hub.releases.view import Change, Comparison
from berth.releases.catalogue import Contents, Package
from tests.unit.hub.shelves import PYTHON, package, release

NEW = release("2026.11", environments=(PYTHON,))
OLD = release("2026.05", "2026-05-18", environments=(PYTHON,))


def contents(*packages: Package, conda: tuple[Package, ...] | None = None) -> Contents:
    return Contents({"python": packages}, conda)


def compared(new: Contents | None, old: Contents | None) -> Comparison:
    full = new is not None and old is not None
    (found,) = view.compare(view.sections(NEW, new), view.sections(OLD, old), full=full)
    return found


def test_packages_are_in_the_order_of_their_names_whatever_their_case() -> None:
    (section,) = view.sections(NEW, contents(package("zlib"), package("Babel"), package("attrs")))
    assert [item.name for item in section.packages] == ["attrs", "Babel", "zlib"]
    assert section.bytes == 3 * 7_340_032


def test_the_release_s_own_conda_comes_last() -> None:
    sections = view.sections(NEW, contents(package("a"), conda=(package("conda", "25.1"),)))
    assert [str(section.title) for section in sections] == ["Python 3.13", "Conda of the terminal"]


def test_a_comparison_tells_what_came_what_went_and_what_is_another() -> None:
    old = contents(package("gone", "1"), package("same", "3"), package("moved", "1.9"))
    new = contents(package("come", "2"), package("same", "3"), package("moved", "1.10"))
    found = compared(new, old)
    assert found.added == (Change("come", None, "2"),)
    assert found.removed == (Change("gone", "1", None),)
    assert found.changed == (Change("moved", "1.9", "1.10"),)
    assert [str(said) for said, _ in found.kinds] == ["1 added", "1 removed", "1 changed"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"build": "h1_1"}, "1.0 (h1_1, conda-forge)"),
        ({"channel": "pip", "build": ""}, "1.0 (pip)"),
    ],
)
def test_where_only_build_or_channel_differ_these_are_told(changes: dict[str, str], said: str) -> None:
    found = compared(contents(package("a", **changes)), contents(package("a")))
    assert found.changed == (Change("a", "1.0 (py313h0_0, conda-forge)", said),)


def test_another_licence_or_size_is_no_change_of_a_package() -> None:
    found = compared(contents(package("a", license="MIT", bytes=1)), contents(package("a")))
    assert found.kinds == []


def test_a_name_that_two_channels_give_is_one_package_with_two_versions() -> None:
    twice = contents(package("a", "1"), package("A", "7"), package("a", "2", channel="pip"))
    assert compared(twice, contents(package("a", "1"), package("A", "7"))).changed == (
        Change("a", "1", "1, 2"),
    )


def test_without_the_full_lists_the_main_packages_are_compared() -> None:
    newer = replace(PYTHON, packages={"python": "3.14.0", "numpy": "2.1.3"})
    (found,) = view.compare(
        view.sections(replace(NEW, environments=(newer,)), contents(package("a"))),
        view.sections(OLD, None),
        full=False,
    )
    assert found.changed == (Change("python", "3.13.5", "3.14.0"),)
    assert found.added == found.removed == ()


def test_environments_that_are_new_or_gone_are_told_as_such() -> None:
    both = release("2026.11")
    later, earlier = view.sections(both, None), view.sections(OLD, None)
    assert [
        (item.name, item.old_title, item.new_title) for item in view.compare(later, earlier, full=False)
    ] == [
        ("python", "Python 3.13", "Python 3.13"),
        ("r", None, "R 4.3"),
    ]
    assert [(item.name, item.new_title) for item in view.compare(earlier, later, full=False)] == [
        ("python", "Python 3.13"),
        ("r", None),
    ]


def test_a_conda_that_cannot_be_read_is_not_called_gone() -> None:
    old = view.sections(OLD, contents(package("a"), conda=(package("conda"),)))
    assert [item.name for item in view.compare(view.sections(NEW, None), old, full=False)] == ["python"]
    assert [item.name for item in view.compare(view.sections(NEW, contents()), old, full=True)] == [
        "python",
        "",
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "Possible; no end is planned."),
        ({"ends": dt.date(2026, 11, 26)}, "Possible until 2026-11-26."),
        ({"ends": dt.date(2026, 11, 25)}, "No longer possible; the last day was 2026-11-25."),
        ({"hidden": True, "ends": dt.date(2027, 1, 1)}, "Not possible; it is hidden"),
    ],
)
def test_it_is_said_whether_sessions_start_with_a_release(changes: dict[str, Any], said: str) -> None:
    item = release("2026.11", **changes)
    assert str(view.standing(item, dt.date(2026, 11, 26))).startswith(said)


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (830_000, "811 KiB"),
        (7_340_032, "7.0 MiB"),
        (12 * 2**30, "12 GiB"),
        (3 * 2**40, "3.0 TiB"),
        (5000 * 2**40, "5000 TiB"),
    ],
)
def test_sizes_are_in_the_unit_that_fits(count: int, said: str) -> None:
    assert amounts.size(count) == said


def test_thousands_are_kept_apart() -> None:
    assert amounts.number(1234567) == "1\u202f234\u202f567"
