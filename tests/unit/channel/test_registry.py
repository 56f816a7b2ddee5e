"""The registry of Julia packages: git itself reads the repositories that it names."""

from __future__ import annotations

import subprocess
import tomllib
from typing import TYPE_CHECKING

import pytest

from tests.releases.channel.registry import JuliaPackage, registry
from tests.releases.channel.repository import repository

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CONTENT = {"a/b.txt": b"b", "a.txt": b"a", "a-b/c/d.txt": b"\0\xff", "z": b""}


def written(top: Path, files: Mapping[str, bytes]) -> Path:
    for path, data in files.items():
        target = top / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return top


def git(repository: Path, *words: str) -> str:
    command = ["git", "-c", "safe.directory=*", "--git-dir", str(repository), *words]
    return subprocess.run(command, check=True, capture_output=True).stdout.decode("latin-1").rstrip("\n")


def test_git_finds_all_files_in_a_repository_and_nothing_wrong_with_it(tmp_path: Path) -> None:
    made = repository(CONTENT)
    place = written(tmp_path / "some", made.files)
    assert git(place, "fsck", "--strict") == ""
    assert git(place, "rev-parse", "HEAD^{tree}") == made.tree
    assert git(place, "ls-tree", "-r", "--name-only", "HEAD").splitlines() == sorted(CONTENT)
    for path, data in CONTENT.items():
        assert git(place, "show", f"HEAD:{path}") == data.decode("latin-1")


def test_the_same_content_gives_the_same_repository() -> None:
    assert repository(CONTENT) == repository(dict(reversed(CONTENT.items())))


@pytest.mark.parametrize("name", ["One", "Other"])
def test_the_registry_names_each_package_s_repository_and_version(tmp_path: Path, name: str) -> None:
    packages = [
        JuliaPackage("One", "11111111-0000-4000-8000-000000000000", "1.2.0", {"src/One.jl": b"1"}),
        JuliaPackage(
            "Other", "22222222-0000-4000-8000-000000000000", "2.0.0", {"src/Other.jl": b"2"}, {"Base64": "33"}
        ),
    ]
    place = written(tmp_path, dict(registry(packages, str(tmp_path))))
    top = place / "registries/Lab"
    listed = tomllib.loads((top / "Registry.toml").read_text(encoding="utf-8"))["packages"]
    (package,) = [one for one in packages if one.name == name]
    assert listed[package.identity] == {"name": name, "path": name}
    told = {path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in (top / name).iterdir()}
    source = place / "repositories" / name
    assert told["Package"]["repo"] == str(source)
    assert told["Versions"] == {package.version: {"git-tree-sha1": git(source, "rev-parse", "HEAD^{tree}")}}
    assert list(told["Deps"].values()) == [package.uses]
    project = tomllib.loads(git(source, "show", "HEAD:Project.toml"))
    assert project["version"] == package.version
    assert project["deps"] == package.uses
