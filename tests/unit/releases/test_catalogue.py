"""The catalogue accepts what the role publishes and names what is wrong with anything else."""

from __future__ import annotations

import copy
import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest

from berth.releases import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def release(name: str = "2026.11", date: str = "2026-11-16") -> dict[str, Any]:
    return {
        "name": name,
        "date": date,
        "layer": "4.6-1",
        "environments": [
            {
                "name": "python",
                "display_name": "Python 3.13",
                "language": "python",
                "kernel": "python3",
                "prefix": f"/opt/berth/releases/{name}/python-0123456789ab",
                "packages": {"python": "3.13.5", "ipykernel": "7.4.0"},
            }
        ],
        "jupyter_path": f"/opt/berth/releases/{name}/0123456789ab/share/jupyter",
        "conda": f"/opt/berth/releases/{name}/conda-0123456789ab",
        "ends": "2027-11-30",
        "hidden": False,
        "bytes": 1_234_567_890,
        "files": 54_321,
        "contents": f"/opt/berth/releases/{name}/contents-0123456789ab.json",
    }


def index(*releases: dict[str, Any]) -> dict[str, Any]:
    return {"version": 2, "releases": list(releases)}


def test_an_index_is_read_with_the_newest_release_first(tmp_path: Path) -> None:
    path = tmp_path / "index.json"
    old, new = release("2025.04", "2025-04-01"), release()
    path.write_text(json.dumps(index(old, new)), encoding="utf-8")

    first, second = catalogue.load(path)

    assert (first.name, second.name) == ("2026.11", "2025.04")
    assert first.date == dt.date(2026, 11, 16)
    assert first.layer == "4.6-1"
    assert first.jupyter_path == "/opt/berth/releases/2026.11/0123456789ab/share/jupyter"
    assert first.environments[0].display_name == "Python 3.13"
    assert first.environments[0].packages["python"] == "3.13.5"
    assert (first.environments[0].language, first.environments[0].kernel) == ("python", "python3")
    assert first.conda == "/opt/berth/releases/2026.11/conda-0123456789ab"
    assert (first.bytes, first.files) == (1_234_567_890, 54_321)


def test_a_release_may_have_neither_conda_nor_an_end() -> None:
    (found,) = catalogue.parse(index({**release(), "conda": None, "ends": None}))
    assert (found.conda, found.ends) == (None, None)


@pytest.mark.parametrize(
    ("changed", "offered"),
    [
        ({}, True),
        ({"ends": "2026-11-16"}, True),
        ({"ends": "2026-11-15"}, False),
        ({"ends": None}, True),
        ({"hidden": True}, False),
    ],
)
def test_a_release_is_offered_until_its_last_day_unless_it_is_hidden(
    changed: dict[str, Any], *, offered: bool
) -> None:
    (found,) = catalogue.parse(index({**release(), **changed}))
    assert found.offered(dt.date(2026, 11, 16)) is offered


def test_an_empty_index_holds_no_release() -> None:
    assert catalogue.parse(index()) == ()


def test_releases_of_one_day_are_ordered_by_name_downwards() -> None:
    names = [item.name for item in catalogue.parse(index(release("a"), release("b")))]
    assert names == ["b", "a"]


def _set(*path: str | int, value: object) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        place: Any = document
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


def _duplicate(document: dict[str, Any]) -> None:
    document["releases"].append(copy.deepcopy(document["releases"][0]))


def _second_kernel(document: dict[str, Any]) -> None:
    environments = document["releases"][0]["environments"]
    environments.append({**environments[0], "name": "dask"})


def _drop_layer(document: dict[str, Any]) -> None:
    del document["releases"][0]["layer"]


R = ("releases", 0)
E = (*R, "environments", 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("version", value=1), "version must be 2, found 1"),
        (_set("version", value=True), "version must be 2, found True"),
        (_set("releases", value={}), "releases must be a list, found dict"),
        (_set("releases", value=["x"]), r"releases\[0\] must be a mapping, found str"),
        (_set("extra", value=1), "the index has unknown keys: extra"),
        (_second_kernel, r"environments: kernel names python3 more than once"),
        (_drop_layer, r"releases\[0\] lacks layer"),
        (_duplicate, "releases names 2026.11 more than once"),
        (_set(*R, "name", value="../x"), r"releases\[0\].name must be letters"),
        (_set(*R, "name", value="a\n"), "name must be non-empty text on one line"),
        (_set(*R, "layer", value=""), "layer must be non-empty text"),
        (_set(*R, "date", value="16.11.2026"), "date must be a date such as"),
        (_set(*R, "date", value=20261116), "date must be non-empty text"),
        (_set(*R, "environments", value=[]), "must name at least one environment"),
        (_set(*R, "jupyter_path", value="share/jupyter"), "must be an absolute path"),
        (_set(*R, "jupyter_path", value="/a/../b"), "must be an absolute path without"),
        (_set(*R, "conda", value="conda"), "conda must be an absolute path"),
        (_set(*R, "ends", value="soon"), "ends must be a date such as"),
        (_set(*R, "hidden", value="no"), "hidden must be true or false, found 'no'"),
        (_set(*R, "bytes", value=-1), "bytes must be a whole number, found -1"),
        (_set(*R, "files", value=True), "files must be a whole number, found True"),
        (_set(*R, "contents", value=""), "contents must be non-empty text"),
        (_set(*E, "kernel", value="a/b"), "kernel must be letters"),
        (_set(*E, "packages", value=[]), "packages must be a mapping"),
        (_set(*E, "packages", value={"numpy": 2}), "packages.numpy must be non-empty text"),
        (_set(*E, "prefix", value=None), "prefix must be non-empty text"),
    ],
)
def test_an_index_that_is_wrong_is_refused_with_the_place(
    change: Callable[[dict[str, Any]], None], message: str
) -> None:
    document = index(release())
    change(document)
    with pytest.raises(catalogue.CatalogueError, match=message):
        catalogue.parse(document)


def test_a_missing_file_and_a_broken_file_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "index.json"
    with pytest.raises(catalogue.CatalogueError, match="cannot read the release index"):
        catalogue.load(path)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(catalogue.CatalogueError, match="is not JSON"):
        catalogue.load(path)
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(catalogue.CatalogueError, match=r"index\.json is not valid: the index must"):
        catalogue.load(path)


def test_a_release_that_is_not_there_is_answered_with_those_that_are() -> None:
    releases = catalogue.parse(index(release()))
    assert catalogue.find(releases, "2026.11") is releases[0]
    with pytest.raises(catalogue.CatalogueError, match=r"no release '2024.04' .*2026.11"):
        catalogue.find(releases, "2024.04")


NUMPY: dict[str, Any] = {
    "name": "numpy",
    "version": "2.4.0",
    "build": "py313h1_0",
    "channel": "conda-forge",
    "license": "BSD-3-Clause",
    "bytes": 8_000_000,
}


def contents(**changed: Any) -> dict[str, Any]:
    environments = [{"name": "python", "packages": [{**NUMPY, **changed}]}, {"name": "r", "packages": []}]
    return {"environments": environments, "conda": None}


def test_the_list_of_packages_is_read_by_environment(tmp_path: Path) -> None:
    path = tmp_path / "contents.json"
    conda = {"name": "conda", "packages": [{**NUMPY, "build": "", "channel": "pip", "license": ""}]}
    path.write_text(json.dumps({**contents(), "conda": conda}), encoding="utf-8")

    found = catalogue.load_contents(path)

    assert list(found.environments) == ["python", "r"]
    assert found.environments["python"] == (catalogue.Package(**NUMPY),)
    assert found.conda is not None
    assert found.conda[0].channel == "pip"
    path.write_text(json.dumps(contents()), encoding="utf-8")
    assert catalogue.load_contents(path).conda is None


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "it must be a mapping"),
        ({"environments": []}, "it lacks conda"),
        (contents(bytes="8 MB"), r"environments\[0\].packages\[0\].bytes must be a whole number"),
        (contents(version=""), "version must be non-empty text"),
        (contents(channel="a b"), "channel must be letters"),
        (contents(note="x"), "has unknown keys: note"),
    ],
)
def test_a_list_of_packages_that_is_wrong_is_refused_with_the_place(
    tmp_path: Path, document: object, message: str
) -> None:
    path = tmp_path / "contents.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(catalogue.CatalogueError, match=message):
        catalogue.load_contents(path)
