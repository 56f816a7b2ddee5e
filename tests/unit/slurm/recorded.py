"""What real Slurms have answered (see tests/unit/data/README.md), decoded as the client does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from berth.slurm.answers import client

DATA = Path(__file__).resolve().parents[1] / "data"
VERSIONS = ("22.05", "24.11", "26.05")


def text(version: str, file: str) -> str:
    """Return an answer as it was printed."""
    return (DATA / f"slurm-{version}" / file).read_text(encoding="utf-8")


def document(version: str, name: str) -> dict[str, Any]:
    """Return the answer *name*, in JSON where that version has it and in text otherwise."""
    directory = DATA / f"slurm-{version}"
    file = next(file for file in (f"{name}.json", f"{name}.txt") if (directory / file).exists())
    return client.decode(text(version, file))
