"""The catalogue's pages as a user's browser gets them, inside JupyterHub's own page."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from berth.hub.releases import pages, shelf
from berth.hub.service import Service
from berth.releases import catalogue
from tests.unit.hub.factories import FORM, HUB
from tests.unit.hub.shelves import HOSTILE, PYTHON, filled, package, published, release
from tests.unit.hub.website import Website

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bs4 import BeautifulSoup

    from berth.releases.catalogue import Release
    from tests.unit.hub.conftest import Stage

HOME = "/hub/berth/releases"
NEW = release("2026.11")
OLD = release("2026.05", "2026-05-18", ends=dt.date(2099, 1, 31), bytes=12 * 2**30, files=250_000)
SECRET = release("2026.12rc1", "2026-11-25", hidden=True)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    made = tmp_path / "releases"
    made.mkdir()
    return made


@pytest.fixture
def installed(stage: Stage, place: Path, monkeypatch: pytest.MonkeyPatch) -> list[Release]:
    """What is installed, which a test may change at any time."""
    old = filled(
        place, OLD, {"python": [package("numpy", "1.26.4"), package("six")], "r": [package("rlang")]}
    )
    new = filled(
        place,
        NEW,
        {"python": [package("numpy", "2.1.3"), package("attrs", license="")], "r": [package("rlang")]},
        conda=[package("conda", "25.1.0")],
    )
    found = [filled(place, SECRET, {}), new, old]
    monkeypatch.setattr(stage.service, "releases", lambda: tuple(found))
    monkeypatch.setattr(stage.service._catalogue, "kept_seconds", 0.0)
    monkeypatch.setattr(stage.service.shelf._lists, "kept_seconds", 0.0)
    return found


@pytest.fixture
async def site(stage: Stage, installed: list[Release]) -> AsyncIterator[Website]:
    assert installed
    made = Website(stage)
    yield made
    made.server.stop()
    await made.server.close_all_connections()


def admin(site: Website) -> None:
    site.user.orm_user.admin = True
    site.stage.database.commit()


def headings(page: BeautifulSoup) -> list[str]:
    return [item.get_text(strip=True) for item in page.select(".berth-releases h2")]


def said(page: BeautifulSoup) -> str:
    (inside,) = page.select(".berth-releases")
    return " ".join(inside.get_text(" ", strip=True).split())


async def test_the_list_has_the_newest_first_with_what_one_chooses_by(site: Website) -> None:
    page = await site.page(HOME)
    assert headings(page) == ["2026.11", "2026.05"]
    text = said(page)
    assert "Date 2026-05-18 New sessions Possible until 2099-01-31." in text
    assert "Session layer (JupyterLab) 4.6-1 Size 12 GiB in 250 000 files" in text
    assert "Python 3.13 python 3.13.5 numpy 2.1.3 R 4.3 r-base 4.3.3" in text
    links = [link["href"] for link in page.select(".berth-release a")]
    assert links == [
        f"{HOME}/2026.11",
        f"{HOME}/2026.11",
        f"{HOME}/2026.11/compare/2026.05",
        f"{HOME}/2026.05",
        f"{HOME}/2026.05",
    ]
    for link in links:
        await site.page(str(link))


async def test_a_release_has_every_package_with_version_channel_and_licence(site: Website) -> None:
    page = await site.page(f"{HOME}/2026.11")
    assert headings(page)[:3] == ["Python 3.13", "R 4.3", "Conda of the terminal"]
    rows = [[cell.get_text() for cell in row.select("th, td")] for row in page.select("tbody tr")]
    assert rows == [
        ["attrs", "1.0", "conda-forge", "\N{EN DASH}"],
        ["numpy", "2.1.3", "conda-forge", "BSD-3-Clause"],
        ["rlang", "1.0", "conda-forge", "BSD-3-Clause"],
        ["conda", "25.1.0", "conda-forge", "BSD-3-Clause"],
    ]
    assert "2 packages, 14 MiB" in said(page)


async def test_a_comparison_says_what_changed_in_each_environment(site: Website) -> None:
    page = await site.page(f"{HOME}/2026.11/compare/2026.05")
    assert page.title is not None
    assert page.title.get_text(strip=True) == "What changed: 2026.05 to 2026.11"
    text = said(page)
    assert "Python 3.13 1 added, 1 removed, 1 changed" in text
    assert "Package 2026.05 2026.11 numpy 1.26.4 2.1.3" in text
    assert "R 4.3 Nothing changed." in text
    assert "Conda of the terminal New in 2026.11." in text
    turned = said(await site.page(f"{HOME}/2026.05/compare/2026.11"))
    assert "Conda of the terminal No longer in 2026.05." in turned
    assert "Nothing changed." in said(await site.page(f"{HOME}/2026.05/compare/2026.05"))


async def test_hidden_releases_are_there_for_admins_only(site: Website) -> None:
    secret = f"{HOME}/2026.12rc1"
    for path in (secret, f"{secret}/compare/2026.11", f"{HOME}/2026.11/compare/2026.12rc1"):
        page = await site.page(path, 404)
        assert "There is no release “2026.12rc1” in this service." in page.get_text()
    for path in (HOME, f"{HOME}/2026.11"):
        assert "2026.12rc1" not in (await site.page(path)).get_text()
    admin(site)
    page = await site.page(HOME)
    assert headings(page) == ["2026.12rc1", "2026.11", "2026.05"]
    assert "Not possible; it is hidden, and only admins see it here." in said(page)
    assert "2026.12rc1" in (await site.page(f"{HOME}/2026.11")).get_text()
    await site.page(secret)


@pytest.mark.parametrize(
    "name", ["nothing", "..%2f..%2fetc", "%3Cscript%3Ealert(1)%3C/script%3E", "%F0%9F%98%80"]
)
async def test_a_release_that_is_not_there_is_a_sentence(site: Website, name: str) -> None:
    answer = await site.get(f"{HOME}/{name}")
    assert answer.code == 404
    assert b"<script>alert" not in answer.body


@pytest.mark.parametrize("path", ["", "/2026.11", "/2026.11/compare/2026.05"])
async def test_only_users_may_read(site: Website, path: str) -> None:
    site.user = None
    answer = await site.get(HOME + path)
    assert (answer.code, answer.headers["Location"].partition("?")[0]) == (302, "/hub/login")


async def test_no_release_at_all_is_a_sentence(site: Website, installed: list[Release]) -> None:
    installed.clear()
    assert "No release is installed yet." in said(await site.page(HOME))


async def test_an_index_that_was_never_read_is_a_sentence(
    site: Website, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> tuple[Release, ...]:
        raise OSError

    monkeypatch.setattr(site.stage.service, "releases", fails)
    page = await site.page(HOME, 503)
    assert "does not get the answers" in page.get_text()


@pytest.mark.parametrize("path", ["", "/2026.11", "/2026.11/compare/2026.05"])
async def test_the_pages_are_in_the_reader_s_language_all_of_them(site: Website, path: str) -> None:
    english = said(await site.page(HOME + path))
    italian = said(await site.page(HOME + path, accept_language="it"))
    assert english != italian
    assert not {"releases", "Package", "sessions", "Licence"} & set(italian.split())
    assert said(await site.page(HOME + path)) == english


@pytest.mark.parametrize("broken", ["", "[", '{"environments": 7, "conda": null}', "\udcff", "[" * 100_000])
async def test_a_full_list_that_is_damaged_is_a_sentence_beside_what_the_index_has(
    site: Website, installed: list[Release], broken: str
) -> None:
    with open(installed[1].contents, "w", encoding="utf-8", errors="surrogateescape") as file:  # noqa: ASYNC230, PTH123
        file.write(broken)
    text = said(await site.page(f"{HOME}/2026.11"))
    assert "The full list of packages of 2026.11 cannot be read at the moment." in text
    assert "python 3.13.5, numpy 2.1.3" in text
    text = said(await site.page(f"{HOME}/2026.11/compare/2026.05"))
    assert "The full list of packages of 2026.11 cannot be read" in text
    assert "Only the main packages are compared here. Python 3.13 Nothing changed." in text


async def test_a_full_list_that_is_not_there_or_far_too_large_is_a_sentence(
    site: Website, installed: list[Release], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed[1] = replace(installed[1], contents="/nowhere/contents.json")
    assert "cannot be read" in said(await site.page(f"{HOME}/2026.11"))
    monkeypatch.setattr(shelf, "MAX_BYTES", 10)
    assert "cannot be read" in said(await site.page(f"{HOME}/2026.05"))


async def test_a_disk_that_hangs_holds_neither_the_hub_nor_the_reader(
    site: Website, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = threading.Event()
    monkeypatch.setattr(catalogue, "load_contents", lambda _path: free.wait(20))
    monkeypatch.setattr(site.stage.service.shelf._lists, "limit_seconds", 0.3)
    began = time.monotonic()
    waiting = asyncio.ensure_future(site.page(f"{HOME}/2026.11"))
    await site.page(HOME)  # meanwhile
    assert not waiting.done()
    assert "cannot be read" in said(await waiting)
    assert time.monotonic() - began < 10
    free.set()


async def test_what_does_not_change_is_read_and_made_once(
    site: Website, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []
    load, make = catalogue.load_contents, pages.release

    def counting(path: str | Path) -> Any:
        counted.append("read")
        return load(path)

    def making(*arguments: Any) -> str:
        counted.append("made")
        return make(*arguments)

    monkeypatch.setattr(catalogue, "load_contents", counting)
    monkeypatch.setattr(pages, "release", making)
    for _ in range(3):
        await site.page(f"{HOME}/2026.11")
    assert counted == ["read", "made"]
    await site.page(f"{HOME}/2026.11", accept_language="it")
    assert counted == ["read", "made", "made"]


async def test_a_list_that_is_replaced_is_read_again(site: Website, place: Path) -> None:
    assert "numpy" in said(await site.page(f"{HOME}/2026.11"))
    filled(place, NEW, {"python": [package("something-else")]})
    assert "something-else" in said(await site.page(f"{HOME}/2026.11"))


async def test_only_some_pages_are_kept(site: Website, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "KEPT_PAGES", 2)
    for path in ("", "/2026.11", "/2026.05", "/2026.11/compare/2026.05"):
        await site.page(HOME + path)
    assert len(site.stage.service.shelf._pages) == 2


async def test_names_that_would_be_html_are_text(
    site: Website, installed: list[Release], place: Path
) -> None:
    evil = replace(PYTHON, display_name=HOSTILE, packages={HOSTILE: HOSTILE})
    item = release("9", "2026-11-30", environments=(evil,))
    other = release("8", "2026-11-29", environments=(evil,))
    names = [package(HOSTILE, HOSTILE, license=HOSTILE, build=HOSTILE)]
    installed[:] = [
        filled(place, item, {"python": names}),
        filled(place, other, {"python": [replace(names[0], build="x")]}),
    ]
    for path in ("", "/9", "/9/compare/8"):
        page = await site.page(HOME + path)
        assert HOSTILE in page.get_text()
        assert page.find("script", string=lambda text: "alert('x')" in (text or "")) is None


async def test_the_index_of_the_service_itself_is_what_is_shown(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = published(tmp_path, replace(SECRET, hidden=False), NEW)
    monkeypatch.setattr(Service, "releases_index", lambda _self: index)
    stage.user.settings["berth"] = stage.service = Service(HUB, FORM)
    site = Website(stage)
    assert headings(await site.page(HOME)) == ["2026.12rc1", "2026.11"]
    site.server.stop()
