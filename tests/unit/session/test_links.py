"""Links to work and scratch: made where nothing is, kept up to date where they are ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from berth.session import links
from berth.session.links import Area


class Site:
    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.home.mkdir()
        self.work = Area("work", f"{root}/work/{{account}}/{{user}}")
        self.scratch = Area("scratch", f"{root}/scratch/{{user}}")
        for account in ("proj_a", "proj_b"):
            Path(self.path(account)).mkdir(parents=True)
        (root / "scratch" / "alice").mkdir(parents=True)

    def path(self, account: str) -> str:
        return str(self.work.path("alice", account))

    def session(self, account: str) -> dict[str, str]:
        """A session starts; what links there are then."""
        links.start([self.work, self.scratch], self.home, "alice", account).join(30)
        return {item.name: str(item.readlink()) for item in self.home.iterdir() if item.is_symlink()}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_the_first_session_makes_them(site: Site) -> None:
    assert site.session("proj_a") == {
        "work": site.path("proj_a"),
        "work-proj_a": site.path("proj_a"),
        "scratch": site.scratch.path("alice", ""),
    }


def test_work_follows_the_account_and_each_account_keeps_its_own(site: Site) -> None:
    site.session("proj_a")
    made = site.session("proj_b")
    assert made["work"] == site.path("proj_b")
    assert made["work-proj_a"] == site.path("proj_a")
    assert made["work-proj_b"] == site.path("proj_b")
    assert sorted(item.name for item in site.home.iterdir()) == sorted(made)


def test_a_link_that_the_user_made_to_the_same_area_is_kept_up_to_date(site: Site) -> None:
    (site.home / "work").symlink_to(site.path("proj_b"))
    assert site.session("proj_a")["work"] == site.path("proj_a")


@pytest.mark.parametrize("target", ["/somewhere/else", "{work}/data", "../relative"])
def test_a_link_to_anywhere_else_is_the_user_s(site: Site, target: str) -> None:
    target = target.replace("{work}", site.path("proj_a"))
    (site.home / "work").symlink_to(target)
    assert site.session("proj_b")["work"] == target


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_a_file_of_the_user_s_is_never_replaced(site: Site, kind: str) -> None:
    for name in ("work", "scratch"):
        if kind == "file":
            (site.home / name).write_text("mine", encoding="utf-8")
        else:
            (site.home / name).mkdir()
    assert site.session("proj_a").keys() == {"work-proj_a"}


def test_another_user_s_area_is_not_ours(site: Site, tmp_path: Path) -> None:
    other = str(tmp_path / "work" / "proj_a" / "bob")
    (site.home / "work").symlink_to(other)
    assert site.session("proj_b")["work"] == other


def test_an_area_that_is_not_there_gets_no_link(site: Site) -> None:
    assert site.session("proj_c").keys() == {"scratch"}


def test_a_job_without_account_gets_what_depends_on_none(site: Site) -> None:
    assert site.work.path("alice", "") is None
    assert site.session("").keys() == {"scratch"}


def test_a_site_without_areas_has_no_links(site: Site) -> None:
    links.start([Area("work", ""), Area("scratch", "")], site.home, "alice", "proj_a").join(30)
    assert list(site.home.iterdir()) == []


def test_a_home_that_cannot_be_written_is_only_said(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    links.start([site.scratch], Path("/proc/none"), "alice", "").join(30)
    assert "no link /proc/none/scratch" in caplog.text
