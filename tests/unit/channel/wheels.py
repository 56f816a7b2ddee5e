"""Wheels that the tests make."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from tests.releases.channel.wheel import Wheel

if TYPE_CHECKING:
    from pathlib import Path


def make(
    directory: Path,
    *,
    tag: str = "py3-none-any",
    metadata: str = "",
    files: dict[str, str] | None = None,
    points: str = "",
) -> Wheel:
    """Write a wheel of demo 1.2."""
    name, stem = "demo", "demo-1.2"
    pure = "true" if tag.endswith("any") else "false"
    content = {
        f"{name}/__init__.py": "",
        f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.2\n{metadata}",
        f"{stem}.dist-info/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: {pure}\nTag: {tag}\n",
        f"{stem}.dist-info/RECORD": "",
        **({f"{stem}.dist-info/entry_points.txt": points} if points else {}),
        **(files or {}),
    }
    path = directory / f"{stem}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for entry, text in content.items():
            archive.writestr(entry, text)
    return Wheel(path)
