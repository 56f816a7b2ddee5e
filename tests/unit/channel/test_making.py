from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from tests.releases.channel import __main__ as making
from tests.releases.channel import parts
from tests.releases.channel.parts import Part


class Builder:
    """Stands for the builder's own process: writes what a part would hold."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.broken = ""

    def __call__(self, _: Path, *words: str | Path) -> None:
        verb, *rest = words
        self.calls.append((str(verb), Path(str(rest[0])).name))
        if verb == "part":
            target = Path(str(rest[1])) / "noarch"
            target.mkdir(parents=True)
            (target / f"{rest[0]}-1-0.conda").write_text(str(rest[0]), encoding="utf-8")
            if rest[0] == self.broken:
                raise making.ChannelError("it is out of reach.")


@pytest.fixture(name="builder")
def _builder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Builder:
    builder = Builder()
    monkeypatch.setattr(making, "_build", builder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return builder


def run(*words: str) -> int:
    return making.main(list(words))


def test_a_second_call_builds_nothing(builder: Builder, tmp_path: Path) -> None:
    assert run("small", "--link", str(tmp_path / "link")) == 0
    first = (tmp_path / "link").readlink()
    builder.calls.clear()
    assert run("small", "--link", str(tmp_path / "link")) == 0
    assert builder.calls == []
    assert (tmp_path / "link").readlink() == first
    assert sorted(path.name for path in first.rglob("*.conda")) == [
        f"{name}-1-0.conda" for name in ("conda", "python", "wheels")
    ]


def test_the_full_channel_takes_the_small_one_s_parts(builder: Builder) -> None:
    assert run("small") == 0
    builder.calls.clear()
    assert run("full") == 0
    made = {name for verb, name in builder.calls if verb == "part"}
    assert made == {part.name for part in parts.FULL} - {part.name for part in parts.SMALL}


def test_a_part_that_cannot_be_made_says_how_to_go_on(
    builder: Builder, capsys: pytest.CaptureFixture[str]
) -> None:
    builder.broken = "pytorch"
    assert run("full") == 1
    said = capsys.readouterr().err
    assert "part pytorch cannot be made: it is out of reach." in said
    assert "--without pytorch" in said
    assert run("full", "--without", "pytorch") == 0


def test_what_was_cut_is_made_anew(builder: Builder) -> None:
    builder.broken = "conda"
    assert run("small") == 1
    assert not list((parts.cache() / "parts").glob("conda-*"))
    builder.broken = ""
    assert run("small") == 0


@pytest.mark.usefixtures("builder")
def test_what_nobody_asks_for_is_removed_after_two_weeks() -> None:
    assert run("small") == 0
    old, cut = parts.cache() / "0123456789abcdef", parts.cache() / "parts/wheels-1.new"
    for path in (old, cut):
        path.mkdir()
    then = time.time() - 15 * 86400
    os.utime(old, (then, then))
    assert run("small") == 0
    assert not old.exists()
    assert not cut.exists()
    assert (parts.cache() / parts.digest(parts.SMALL)).is_dir()


def test_a_change_of_what_a_recipe_reads_makes_its_part_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copy = tmp_path / "tests/releases"
    shutil.copytree(parts.RELEASES, copy, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(parts.ROOT / "requirements", tmp_path / "requirements")
    for name, path in {
        "ROOT": tmp_path,
        "RELEASES": copy,
        "HERE": copy / "channel",
        "TOOLS": tmp_path / "requirements/channel.txt",
    }.items():
        monkeypatch.setattr(parts, name, path)
    kernels, r = Part("kernels", ("kernels/lab_kernels",)), Part("r")
    before = kernels.digest(), r.digest()
    with (copy / "kernels/lab_kernels/driver.jl").open("a", encoding="utf-8") as file:
        file.write("# another\n")
    assert kernels.digest() != before[0]
    assert r.digest() == before[1]


@pytest.mark.parametrize("part", parts.FULL, ids=lambda part: part.name)
def test_every_part_has_a_recipe_and_its_inputs(part: Part) -> None:
    assert (parts.HERE / f"recipes/{part.name}.py").is_file()
    assert [name for name in part.inputs if not (parts.RELEASES / name).exists()] == []
