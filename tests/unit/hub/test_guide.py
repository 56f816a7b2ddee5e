"""The users' guide: made of the site's own data, at the hub and as a file."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from bs4 import BeautifulSoup

from berth.__main__ import main
from berth.hub.guide import facts, pages
from berth.hub.settings import Interface, Links
from tests.unit.hub.factories import FORM, HUB
from tests.unit.hub.shelves import published, release
from tests.unit.hub.website import Website

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from berth.hub.guide.facts import Facts
    from tests.unit.hub.conftest import Stage

ROOT = Path(__file__).resolve().parents[3]
TODAY = dt.date(2026, 11, 27)
RELEASES = (
    release("2026.12rc1", "2026-11-25", hidden=True),
    release("2026.11"),
    release("2026.05", "2026-05-18", ends=dt.date(2027, 1, 31)),
    release("2024.04", "2024-04-22", ends=dt.date(2026, 1, 1)),
)


def gathered(**changes: Any) -> Facts:
    return facts.gather(HUB, FORM.model_copy(update=changes), RELEASES, TODAY, "/hub/berth/releases")


def page(found: Facts) -> BeautifulSoup:
    return BeautifulSoup(pages.inside(found, lambda path: path), "html.parser")


def test_it_names_the_site_s_own_address_partition_and_releases() -> None:
    shown = page(gathered())
    text = shown.get_text(" ", strip=True)
    assert HUB.public_url in [link["href"] for link in shown.select("a")]
    assert f"in the partition {HUB.slurm.partition}" in re.sub(r"\s+", " ", text)
    titles = [item.get_text(strip=True) for item in shown.select("summary")]
    assert titles == ["Release 2026.11", "Release 2026.05 (until 2027-01-31)"]


@pytest.mark.parametrize("more", [(), (Interface(name="code", title="Code", url="/code/"),)])
def test_every_entry_of_its_contents_is_there_in_that_order(more: tuple[Interface, ...]) -> None:
    shown = page(gathered(interfaces=(*FORM.interfaces, *more)))
    wanted = [str(link["href"]).removeprefix("#") for link in shown.select("nav a")]
    assert [heading["id"] for heading in shown.select("h2")] == wanted
    assert len(shown.select("h1")) == 1


def test_what_the_site_does_not_have_is_not_told() -> None:
    assert page(gathered()).find(id="code") is None
    with_code = gathered(interfaces=(Interface(name="code", title="Visual Studio Code", url="/code/"),))
    assert page(with_code).find(id="code") is not None
    assert "Julia" not in page(gathered()).get_text()
    assert "get help" not in page(gathered(links=Links())).get_text()
    told = page(gathered(links=Links(help="https://help.example.org/?job={job_id}")))
    assert "https://help.example.org/?job=" in [link["href"] for link in told.select("a")]


def test_its_pictures_are_there_with_words_and_a_test_of_the_lab_takes_each() -> None:
    with_code = gathered(interfaces=(Interface(name="code", title="Visual Studio Code", url="/code/"),))
    shown = page(with_code).select("img")
    assert sorted(str(item["src"]) for item in shown) == pages.pictures()
    assert all(item["alt"] and int(str(item["width"])) > int(str(item["height"])) / 2 for item in shown)
    tests = [*ROOT.glob("tests/browser/*.py"), *ROOT.glob("tests/lab_workbench/*.py")]
    taken = re.findall(r'browser\.figure\("([a-z]+)"', "".join(item.read_text("utf-8") for item in tests))
    assert sorted(f"{pages.PICTURES}/{name}.webp" for name in taken) == pages.pictures()


def test_the_fields_have_the_names_that_the_form_gives_them() -> None:
    terms = [term.get_text(strip=True) for term in page(gathered()).select("dt")][:8]
    assert terms == [
        "Slurm reservation",
        "Slurm account",
        "Number of cores",
        "Memory",
        "GPU configuration",
        "Time",
        "Backend environment",
        "User interface",
    ]


@pytest.fixture
async def site(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Website]:
    monkeypatch.setattr(stage.service, "releases", lambda: RELEASES)
    made = Website(stage)
    yield made
    made.server.stop()
    await made.server.close_all_connections()


async def test_the_hub_shows_it_to_users_and_leads_there(site: Website) -> None:
    shown = await site.page("/hub/berth/guide")
    assert shown.select("h1")[0].get_text(strip=True).startswith("Using ")
    assert [link["href"] for link in shown.select("footer a") if "How to use" in link.get_text()] == [
        "/hub/berth/guide"
    ]
    site.user = None
    assert (await site.get("/hub/berth/guide")).code in {302, 403}


async def test_the_hub_has_its_pictures(site: Website) -> None:
    shown = await site.page("/hub/berth/guide")
    for image in shown.select("figure img"):
        answer = await site.get(str(image["src"]))
        assert (answer.code, answer.headers["Content-Type"]) == (200, "image/webp")


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["guide", *arguments])
    return int(ended.value.code or 0)


def test_as_a_file_it_is_whole_and_a_second_run_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "hub.yml").write_text(yaml.safe_dump(HUB.model_dump(mode="json")), encoding="utf-8")
    (tmp_path / "form.yml").write_text(yaml.safe_dump(FORM.model_dump(mode="json")), encoding="utf-8")
    output = tmp_path / "web"
    arguments = ["--settings", str(tmp_path), "--index", str(published(tmp_path, *RELEASES))]
    arguments += ["--output", str(output)]
    for expected in ("changed", "unchanged"):
        assert run(*arguments) == 0
        assert capsys.readouterr().out.strip() == expected
    shown = BeautifulSoup((output / "index.html").read_text(encoding="utf-8"), "html.parser")
    for link in shown.select("link[rel=stylesheet]"):
        assert (output / str(link["href"])).is_file()
    assert all((output / str(image["src"])).stat().st_size > 0 for image in shown.select("img"))
    assert shown.find(id="trouble") is not None


def test_settings_that_cannot_be_read_are_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--settings", str(tmp_path), "--index", str(tmp_path / "x"), "--output", str(tmp_path / "o")]
    assert run(*arguments) == 1
    assert "hub.yml cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
