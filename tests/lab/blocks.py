"""The blocks of commands in docs/operate that say where they are run: ```` ```sh run=hub ````."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PAGES: Final = Path(__file__).resolve().parents[2] / "docs/operate"
RUNNERS: Final = ("hub", "node", "site")
"""On the hub host as root, on a compute node as root, on the controller in the repository."""
_FENCE: Final = re.compile(
    r"^```(?P<language>\w*) *(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """One block of a page."""

    page: str
    number: int
    """Counted from 1 among all blocks of its page."""
    language: str
    runner: str
    """What stands behind `run=`; empty: nobody runs it."""
    script: str

    def __str__(self) -> str:
        """Name it for a report."""
        return f"{self.page}-{self.number}"


def blocks() -> list[Block]:
    """Return all blocks of all pages, in order."""
    return [
        Block(page.name, number, found["language"], _runner(found["info"]), found["body"])
        for page in sorted(PAGES.glob("*.md"))
        for number, found in enumerate(_FENCE.finditer(page.read_text(encoding="utf-8")), start=1)
    ]


def _runner(info: str) -> str:
    found = re.fullmatch(r"run=(\S+)", info.strip())
    return found[1] if found else info.strip()
