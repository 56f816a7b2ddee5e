"""pip's part of an environment, by uv: what conda lacks, resolved against what conda provides."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import zipfile
from email.parser import HeaderParser
from typing import TYPE_CHECKING, Final

from uv import find_uv_bin

from berth.releases.errors import ReleaseError
from berth.releases.lock import PipPackage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_WHEEL: Final = "Wheel-Version: 1.0\nGenerator: berth\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def normal(name: str) -> str:
    """Give a distribution's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def distributions(prefix: Path) -> dict[str, tuple[str, Path]]:
    """Give the installed Python distributions of a prefix: by normal name the version and its directory."""
    found = {}
    for pattern, file in (("*.egg-info", "PKG-INFO"), ("*.dist-info", "METADATA")):
        for path in sorted(prefix.glob(f"lib/python*/site-packages/{pattern}/{file}")):
            headers = HeaderParser().parsestr(path.read_text(encoding="utf-8", errors="replace"))
            found[normal(headers["Name"])] = (headers["Version"], path.parent)
    return found


def resolve(
    specs: Sequence[str], prefix: Path, virtual: Mapping[str, str], index: str, scratch: Path
) -> tuple[PipPackage, ...]:
    """Find the newest packages that satisfy the specs in an environment whose conda part is `prefix`.

    What conda provides is held to its version and offered to uv as wheels that hold nothing but a name;
    conda has solved what those need. Raises ReleaseError with uv's reason.
    """
    provided = {name: version for name, (version, _) in distributions(prefix).items()}
    stubs = scratch / "stubs"
    stubs.mkdir()
    for name, version in provided.items():
        _stub(stubs, name, version)
    (scratch / "asked.in").write_text("\n".join(specs) + "\n", encoding="utf-8")
    pins = "".join(f"{name}=={version}\n" for name, version in provided.items())
    (scratch / "provided.txt").write_text(pins, encoding="utf-8")
    glibc = virtual["__glibc"].replace(".", "_")
    output = _uv(
        scratch / "uv",
        [
            "pip",
            "compile",
            "--quiet",
            "--generate-hashes",
            "--no-header",
            "--no-annotate",
            "--no-strip-extras",
        ],
        [
            "--only-binary",
            ":all:",
            "--find-links",
            str(stubs),
            "--constraints",
            str(scratch / "provided.txt"),
        ],
        ["--python", str(prefix / "bin" / "python"), "--python-platform", f"x86_64-manylinux_{glibc}"],
        [*_index(index), str(scratch / "asked.in")],
    )
    packages = [package for package in _parse(output) if package.name not in provided]
    return tuple(sorted(packages, key=lambda package: package.name))


def install(packages: Sequence[PipPackage], prefix: Path, index: str, cache: Path) -> None:
    """Install exactly those packages, each a wheel with one of its hashes; raises ReleaseError."""
    lines = [
        f"{package.name}=={package.version} " + " ".join(f"--hash=sha256:{entry}" for entry in package.hashes)
        for package in packages
    ]
    _uv(
        cache,
        ["pip", "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"],
        ["--python", str(prefix / "bin" / "python"), "--break-system-packages", "--link-mode", "hardlink"],
        [*_index(index), "--requirements", "-"],
        text="\n".join(lines),
    )


def licence(directory: Path) -> str:
    """Give the licence that a distribution names itself, on one line; empty where it names none."""
    headers = HeaderParser().parsestr((directory / "METADATA").read_text(encoding="utf-8", errors="replace"))
    said = headers["License-Expression"] or headers["License"] or ""
    if not said or "\n" in said:
        found = [value for key, value in headers.items() if key == "Classifier" and value[:7] == "License"]
        said = found[0].rpartition(" :: ")[2] if found else said
    return " ".join(said.split())[:100]


def size(directory: Path) -> int:
    """Give the bytes of a distribution's files, as its RECORD has them."""
    with (directory / "RECORD").open(encoding="utf-8", newline="") as file:
        return sum(int(row[2]) for row in csv.reader(file) if row[2:] and row[2])


def _index(index: str) -> list[str]:
    return ["--default-index", index] if index else []


def _stub(directory: Path, name: str, version: str) -> None:
    stem = f"{name.replace('-', '_')}-{version}"
    with zipfile.ZipFile(directory / f"{stem}-py3-none-any.whl", "w") as archive:
        info = f"{stem}.dist-info"
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", _WHEEL)
        archive.writestr(f"{info}/RECORD", "")


def _parse(output: str) -> list[PipPackage]:
    packages = []
    for line in output.replace("\\\n", " ").splitlines():
        found = re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", line)
        if found:
            hashes = tuple(sorted(re.findall("--hash=sha256:([0-9a-f]{64})", line)))
            packages.append(PipPackage(normal(found[1]), found[2], hashes))
    return packages


def _uv(cache: Path, *arguments: Sequence[str], text: str = "") -> str:
    command = [find_uv_bin(), "--no-config", "--cache-dir", str(cache), "--no-python-downloads"]
    command += [word for part in arguments for word in part]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"}
    result = subprocess.run(command, input=text, capture_output=True, text=True, env=environment, check=False)
    if result.returncode != 0:
        raise ReleaseError(f"uv {arguments[0][1]} failed: {' '.join(result.stderr.split())}")
    return result.stdout
