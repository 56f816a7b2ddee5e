from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.releases.channel import debian
from tests.releases.channel.debian import DebianError, Suite

if TYPE_CHECKING:
    from pathlib import Path

SOURCES = """\
http://mirror.example/debian/ trixie
http://mirror.example/debian/ trixie-updates
http://security.example/debian-security/ trixie-security
https://other.example/apt cloud-sdk-bookworm
"""


class Apt:
    """Answers apt's commands, and remembers what was asked with which sources."""

    def __init__(self, sources: str) -> None:
        self.sources = sources
        self.settings: Path | None = None

    def __call__(self, command: list[str], settings: Path | None) -> str:
        self.settings = settings or self.settings
        if "indextargets" in command:
            return self.sources
        return "Package: demo\nVersion: 1:4.2.2.20221110-2+deb12u1\n" if "show" in command else ""

    def used(self) -> list[str]:
        assert self.settings
        return (self.settings.parent / "sources.list").read_text(encoding="utf-8").splitlines()


@pytest.fixture(name="apt")
def _apt(monkeypatch: pytest.MonkeyPatch) -> Apt:
    apt = Apt(SOURCES)
    monkeypatch.setattr(debian, "_run", apt)
    monkeypatch.delenv(debian.MIRROR, raising=False)
    return apt


def test_the_mirror_of_this_machine_serves_another_suite(apt: Apt, tmp_path: Path) -> None:
    assert Suite("bookworm", tmp_path).version("demo") == "4.2.2"
    signed = f"[signed-by={debian.KEYRING}]"
    assert apt.used() == [
        f"deb {signed} http://mirror.example/debian/ bookworm main",
        f"deb {signed} http://security.example/debian-security/ bookworm-security main",
    ]


def test_a_mirror_that_is_named_is_taken(apt: Apt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(debian.MIRROR, "http://named.example/debian")
    Suite("bullseye", tmp_path).version("demo")
    assert apt.used() == [f"deb [signed-by={debian.KEYRING}] http://named.example/debian bullseye main"]


def test_a_machine_without_debian_s_mirror_is_told_to_name_one(apt: Apt, tmp_path: Path) -> None:
    apt.sources = "http://archive.example/ubuntu noble\n"
    with pytest.raises(DebianError, match="BERTH_DEBIAN_MIRROR="):
        Suite("bookworm", tmp_path).version("demo")


def test_a_command_that_is_not_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DebianError, match="make the channel on a machine with Debian's apt"):
        debian.mirrors_of_this_machine()
