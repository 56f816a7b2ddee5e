"""The catalogue as files: whole by itself, and careful with a directory that holds other things."""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

from berth.__main__ import main
from berth.hub.releases import export
from berth.hub.texts import text
from tests.unit.hub.shelves import HOSTILE, PYTHON, filled, package, published, release


@pytest.fixture(autouse=True)
def _language() -> object:
    """Each run sets the language of its process."""
    token = text.language.set(text.ENGLISH)
    yield
    text.language.reset(token)


@pytest.fixture
def index(tmp_path: Path) -> Path:
    return published(
        tmp_path,
        filled(tmp_path, release("2026.11+a"), {"python": [package("numpy", "2.1.3")], "r": []}),
        filled(tmp_path, release("2026.05", "2026-05-18"), {"python": [package("numpy", "1.26.4")], "r": []}),
        filled(tmp_path, release("index", "2024-04-22", ends=dt.date(2024, 5, 1)), {}),
        release("2026.12rc1", "2026-11-25", hidden=True),
    )


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "web" / "releases"


def run(index: Path, output: Path, *more: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["release", "catalogue", "--index", str(index), "--output", str(output), *more])
    return int(ended.value.code or 0)


def written(output: Path) -> set[str]:
    return {str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()}


def page(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def test_every_release_and_every_pair_has_a_file_but_hidden_ones(index: Path, output: Path) -> None:
    assert run(index, output) == 0
    assert written(output) == {
        ".berth-catalogue",
        "index.html",
        "catalogue.css",
        "releases.css",
        "releases.js",
        "release/2026.11+a.html",
        "release/2026.05.html",
        "release/index.html",
        "compare/2026.11+a/2026.05.html",
        "compare/2026.11+a/index.html",
        "compare/2026.05/index.html",
    }
    for name in written(output):
        assert "2026.12rc1" not in (output / name).read_text(encoding="utf-8")


def test_every_link_is_relative_and_leads_to_a_file(index: Path, output: Path) -> None:
    run(index, output)
    followed = set()
    for path in output.rglob("*.html"):
        for element in page(path).select("[href], [src]"):
            link = urlsplit(str(element.get("href") or element.get("src")))
            assert (link.scheme, link.netloc) == ("", "")
            assert not link.path.startswith("/")
            target = Path(os.path.normpath(path.parent / unquote(link.path)))
            assert target.is_file(), f"{path}: {link.path}"
            followed.add(str(target.relative_to(output)))
    assert followed == written(output) - {".berth-catalogue"}, "every file is reached"


def test_the_files_say_what_the_hub_says(index: Path, output: Path) -> None:
    run(index, output)
    assert "No longer possible; the last day was 2024-05-01." in page(output / "index.html").get_text()
    compared = page(output / "compare/2026.11+a/2026.05.html")
    assert [cell.get_text() for cell in compared.select("tbody th, tbody td")] == ["numpy", "1.26.4", "2.1.3"]


def test_the_files_are_readable_by_everybody(index: Path, output: Path) -> None:
    run(index, output)
    assert {path.stat().st_mode & 0o777 for path in output.rglob("*") if path.is_file()} == {0o644}


def test_a_second_run_changes_nothing_and_says_so(
    index: Path, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(index, output)
    before = {path: path.stat().st_ino for path in output.rglob("*")}
    run(index, output)
    assert capsys.readouterr().out == "changed\nunchanged\n"
    assert {path: path.stat().st_ino for path in output.rglob("*")} == before


def test_a_check_says_what_would_change_and_writes_nothing(
    index: Path, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(index, output, "--check") == 0
    assert capsys.readouterr().out == "changed\n"
    assert not output.exists()


def test_pages_of_releases_that_are_gone_go_and_other_files_stay(
    index: Path, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(index, output)
    (output / "release" / "notes.html").write_text("ours", encoding="utf-8")
    published(index.parent, release("2026.05", "2026-05-18"))
    run(index, output)
    assert capsys.readouterr().out == "changed\nchanged\n"
    assert {name for name in written(output) if name.endswith(".html")} == {
        "index.html",
        "release/2026.05.html",
        "release/notes.html",
    }


def test_a_file_of_somebody_else_is_not_replaced(
    index: Path, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output.mkdir(parents=True)
    (output / "index.html").write_text("the site's own", encoding="utf-8")
    assert run(index, output) == 1
    assert "index.html was not written by this command" in capsys.readouterr().err
    assert written(output) == {"index.html"}
    assert (output / "index.html").read_text(encoding="utf-8") == "the site's own"


def test_what_a_run_that_broke_off_has_written_is_known_to_the_next(
    index: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_file, done = export._replace, []

    def breaks(path: Path, content: bytes) -> None:
        done.append(path)
        if len(done) > 3:
            raise OSError(28, "No space left on device", str(path))
        replace_file(path, content)

    monkeypatch.setattr(export, "_replace", breaks)
    assert run(index, output) == 1
    monkeypatch.setattr(export, "_replace", replace_file)
    assert run(index, output) == 0
    assert "release/2026.05.html" in written(output)


@pytest.mark.parametrize("name", ["/etc/passwd", "../../victim"])
def test_a_list_that_names_files_elsewhere_removes_none(
    index: Path, output: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    victim = output.parent.parent / "victim"
    victim.write_text("here", encoding="utf-8")
    output.mkdir(parents=True)
    (output / export.LIST).write_text(f"{name}\n", encoding="utf-8")
    assert run(index, output) == 1
    assert "names files outside" in capsys.readouterr().err
    assert victim.exists()


def test_an_index_that_cannot_be_read_is_a_sentence(
    tmp_path: Path, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "nothing.json", output) == 1
    assert "cannot read the release index" in capsys.readouterr().err
    assert not output.exists()


def test_a_full_list_that_cannot_be_read_is_told_and_the_rest_is_written(
    tmp_path: Path, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = published(tmp_path, replace(release("2026.11"), contents="/nowhere/c.json"))
    assert run(index, output) == 0
    assert "release 2026.11: cannot read the list of packages /nowhere/c.json" in capsys.readouterr().err
    assert "cannot be read" in page(output / "release/2026.11.html").get_text()


def test_names_that_would_be_html_are_text(tmp_path: Path, output: Path) -> None:
    evil = replace(PYTHON, display_name=HOSTILE, packages={HOSTILE: HOSTILE})
    item = filled(
        tmp_path, release("1", environments=(evil,)), {"python": [package(HOSTILE, license=HOSTILE)]}
    )
    run(published(tmp_path, item), output)
    for path in output.rglob("*.html"):
        found = page(path)
        assert HOSTILE in found.get_text()
        assert [script.get_text() for script in found.select("script")] == [""]


def test_the_files_can_be_in_another_language(index: Path, output: Path) -> None:
    assert run(index, output, "--language", "it") == 0
    found = page(output / "index.html")
    assert found.select("html")[0]["lang"] == "it"
    assert "Pacchetti principali" in found.get_text()
