from __future__ import annotations

import dataclasses
import io
import json
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

from tests.releases.channel.package import PLACEHOLDER, File, Link, Package, write

if TYPE_CHECKING:
    from pathlib import Path

DEMO = Package(
    name="demo",
    version="1.0+lab",
    files={
        "bin/demo": File(f"#!{PLACEHOLDER}/bin/python\n".encode(), executable=True),
        "bin/other": Link("demo"),
        "lib/demo.so": File(PLACEHOLDER.encode() + b"\0\1"),
        "share/text": File(b"nothing of it"),
    },
    depends=("python >=3.11", "__glibc >=2.36"),
    license="MIT",
)


def members(path: Path, part: str) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    """The files of one of the two archives in a package."""
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.startswith(part))
        data = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(archive.read(name))).read()
    with tarfile.open(fileobj=io.BytesIO(data)) as packed:
        return {
            told.name: (told, file.read() if (file := packed.extractfile(told)) else b"") for told in packed
        }


def document(path: Path, name: str) -> Any:
    return json.loads(members(path, "info-")[f"info/{name}.json"][1])


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = write(DEMO, tmp_path / "a"), write(DEMO, tmp_path / "b")
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        {"files": {**DEMO.files, "share/text": File(b"something")}},
        {"files": {**DEMO.files, "share/text": File(b"nothing of it", executable=True)}},
        {"files": {**DEMO.files, "bin/other": Link("else")}},
        {"depends": ("python >=3.12",)},
        {"license": "BSD-3-Clause"},
        {"entry_points": ("demo = demo:main",)},
    ],
    ids=["content", "mode", "link", "dependency", "licence", "command"],
)
def test_another_content_has_another_file_name(change: dict[str, Any]) -> None:
    assert dataclasses.replace(DEMO, **change).build != DEMO.build


def test_files_that_name_the_prefix_are_marked_by_their_kind(tmp_path: Path) -> None:
    paths = document(write(DEMO, tmp_path), "paths")["paths"]
    kinds = {entry["_path"]: entry.get("file_mode") for entry in paths}
    assert kinds == {"bin/demo": "text", "bin/other": None, "lib/demo.so": "binary", "share/text": None}


def test_the_archive_holds_modes_links_and_one_time(tmp_path: Path) -> None:
    files = members(write(DEMO, tmp_path), "pkg-")
    assert {name: told.mode for name, (told, _) in files.items()} == {
        "bin/demo": 0o755,
        "bin/other": 0o777,
        "lib/demo.so": 0o644,
        "share/text": 0o644,
    }
    assert files["bin/other"][0].linkname == "demo"
    assert len({told.mtime for told, _ in files.values()}) == 1


def test_a_noarch_package_tells_its_commands_and_where_it_belongs(tmp_path: Path) -> None:
    path = write(dataclasses.replace(DEMO, noarch=True, entry_points=("demo = demo:main",)), tmp_path)
    assert path.parent.name == "noarch"
    assert document(path, "index")["noarch"] == "python"
    assert document(path, "link")["noarch"] == {"type": "python", "entry_points": ["demo = demo:main"]}


def test_the_index_says_what_the_solver_reads(tmp_path: Path) -> None:
    index = document(write(DEMO, tmp_path), "index")
    assert index["depends"] == ["__glibc >=2.36", "python >=3.11"]
    assert (index["name"], index["version"], index["subdir"]) == ("demo", "1.0+lab", "linux-64")
    assert index["build"].startswith("lab_h")
