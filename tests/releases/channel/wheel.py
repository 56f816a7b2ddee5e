"""Wheels of PyPI as conda packages."""

from __future__ import annotations

import configparser
import zipfile
from dataclasses import dataclass
from email.parser import BytesParser
from functools import cached_property
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name, parse_wheel_filename

from tests.releases.channel import requirement
from tests.releases.channel.package import PLACEHOLDER, File, Link, Package

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from email.message import Message
    from pathlib import Path

PYTHON = "3.11"
SHEBANG = f"#!{PLACEHOLDER}/bin/python\n".encode()
LONGEST_LICENSE = 60  # characters: longer ones are the licence's text, not its name


class WheelError(Exception):
    """A wheel that cannot become a conda package."""


class _EntryPoints(configparser.ConfigParser):
    """Entry points: names are as they are written, capitals included."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


@dataclass(frozen=True)
class Wheel:
    """A wheel on disk."""

    path: Path

    @property
    def name(self) -> str:
        """Canonical name."""
        return str(parse_wheel_filename(self.path.name)[0])

    @cached_property
    def metadata(self) -> Message:
        """What METADATA says."""
        return BytesParser().parsebytes(self._read("METADATA"))

    @cached_property
    def pure(self) -> bool:
        """Whether nothing in it is compiled."""
        flag = BytesParser().parsebytes(self._read("WHEEL")).get("Root-Is-Purelib", "")
        return flag == "true" and all(
            tag.platform == "any" for tag in parse_wheel_filename(self.path.name)[3]
        )

    @cached_property
    def information(self) -> str:
        """The .dist-info directory."""
        with zipfile.ZipFile(self.path) as archive:
            names = [name.split("/") for name in archive.namelist()]
        found = {top for top, *rest in names if top.endswith(".dist-info") and rest == ["METADATA"]}
        if len(found) != 1:
            raise WheelError(f"{self.path.name} has {len(found)} .dist-info directories instead of one.")
        return found.pop()

    @property
    def site_packages(self) -> str:
        """Where its modules go in a conda package; the installer completes the path of a noarch one."""
        return "site-packages" if self.pure else f"lib/python{PYTHON}/site-packages"

    def entries(self) -> Iterator[tuple[str, bytes, bool]]:
        """Yield name, content and whether it is executable, of every file but those that installing makes."""
        with zipfile.ZipFile(self.path) as archive:
            for told in archive.infolist():
                made = told.filename in {f"{self.information}/RECORD", f"{self.information}/INSTALLER"}
                if not told.is_dir() and not made and not told.filename.endswith(".pyc"):
                    yield told.filename, archive.read(told), bool(told.external_attr >> 16 & 0o111)

    def entry_points(self) -> tuple[str, ...]:
        """Its commands, as `name = module:function`."""
        parser = _EntryPoints(delimiters=("=",), strict=False, interpolation=None)
        parser.read_string(self._read("entry_points.txt", missing=b"").decode())
        return tuple(
            f"{name.strip()} = {called.split('[')[0].strip()}"
            for section in ("console_scripts", "gui_scripts")
            if parser.has_section(section)
            for name, called in parser.items(section)
        )

    def _read(self, name: str, missing: bytes | None = None) -> bytes:
        with zipfile.ZipFile(self.path) as archive:
            try:
                return archive.read(f"{self.information}/{name}")
            except KeyError:
                if missing is None:
                    raise WheelError(f"{self.path.name} has no {name}.") from None
                return missing


def convert(wheel: Wheel, others: Mapping[str, Message], dropped: Iterable[str] = ()) -> Package:
    """Make a conda package of a wheel; `others`: metadata of those whose extras it may ask for."""
    metadata = wheel.metadata
    files = dict(_laid_out(wheel))
    points = wheel.entry_points()
    if not wheel.pure:
        files |= {f"bin/{point.split(' = ')[0]}": File(_script(point), executable=True) for point in points}
    python = f"python {metadata.get('Requires-Python', '').replace(' ', '')}".strip()
    depends = {python, *requirement.depends(metadata, others, dropped=dropped)}
    if not wheel.pure:
        depends.add(f"python >={PYTHON},<3.12.0a0")
    return Package(
        name=requirement.conda_name(wheel.name),
        version=str(metadata["Version"]).replace("-", "_"),
        files=files | _installed(wheel, files),
        depends=tuple(sorted(depends)),
        license=license_of(metadata),
        summary=str(metadata.get("Summary") or ""),
        noarch=wheel.pure,
        entry_points=points if wheel.pure else (),
        origin={"wheel": wheel.path.name},
    )


def license_of(metadata: Message) -> str:
    """The licence that a wheel names: an SPDX expression, else its short name, else its classifiers."""
    for key in ("License-Expression", "License"):
        told = str(metadata.get(key) or "").strip()
        if told and "\n" not in told and len(told) <= LONGEST_LICENSE:
            return told
    classifiers = [str(line) for line in metadata.get_all("Classifier") or []]
    named = [line.rsplit(" :: ", 1)[-1] for line in classifiers if line.startswith("License :: ")]
    return " OR ".join(name for name in named if name != "OSI Approved")


def _laid_out(wheel: Wheel) -> Iterator[tuple[str, File | Link]]:
    for name, data, executable in wheel.entries():
        top, _, rest = name.partition("/")
        if not top.endswith(".data"):
            yield f"{wheel.site_packages}/{name}", File(data, executable)
            continue
        kind, _, rest = rest.partition("/")
        if kind == "scripts":
            directory = "python-scripts" if wheel.pure else "bin"
            yield f"{directory}/{rest}", File(_interpreted(data), executable=True)
        else:
            yield f"{_place(wheel, kind)}{rest}", File(data, executable)


def _place(wheel: Wheel, kind: str) -> str:
    places = {
        "data": "",
        "headers": f"include/python{PYTHON}/{canonicalize_name(wheel.name)}/",
        "platlib": f"{wheel.site_packages}/",
        "purelib": f"{wheel.site_packages}/",
    }
    if kind not in places:
        raise WheelError(f"{wheel.path.name} has a directory {kind!r} in its .data that wheels do not have.")
    return places[kind]


def _interpreted(script: bytes) -> bytes:
    """A script of a wheel with the environment's Python for the wheel's `#!python`."""
    first, _, rest = script.partition(b"\n")
    return SHEBANG + rest if first.startswith(b"#!python") else script


def _script(point: str) -> bytes:
    """The command of an entry point, as installers write it."""
    module, function = point.split(" = ")[1].split(":")
    imported = f"import sys\n\nfrom {module} import {function.split('.')[0]}\n"
    return SHEBANG + f'{imported}\nif __name__ == "__main__":\n    sys.exit({function}())\n'.encode()


def _installed(wheel: Wheel, files: Mapping[str, File | Link]) -> dict[str, File | Link]:
    """What pip wants to find of an installed package."""
    prefix = f"{wheel.site_packages}/"
    inside = [path.removeprefix(prefix) for path in files if path.startswith(prefix)]
    lines = [*sorted(inside), f"{wheel.information}/INSTALLER", f"{wheel.information}/RECORD"]
    return {
        f"{prefix}{wheel.information}/INSTALLER": File(b"conda\n"),
        f"{prefix}{wheel.information}/RECORD": File("".join(f"{line},,\n" for line in lines).encode()),
    }
