"""docs/benchmarks.md: one section for each measurement, each with its own date, machine and rounds."""

from __future__ import annotations

import os
import platform
import re
import statistics
import textwrap
import time
from typing import TYPE_CHECKING, Final

from tests.lab.machines import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PATH: Final = ROOT / "docs/benchmarks.md"
HEAD: Final = """# Benchmarks

Written by `make bench` (`python -m tests.bench start launcher queries form loop` for some of its parts)
against a lab that runs: `make demo`, or another that `BERTH_LAB` chooses. `BENCH_ROUNDS` says how many
rounds (5).
All are measured in the same lab, in turns within each round. Cells show the median of the rounds and, in
brackets, the least and the most; `Berth / it` is the ratio of the medians. Nothing here is asserted by a
test.
"""


def spread(values: Sequence[float], digits: int) -> str:
    """The median with the least and the most: `1.71 (1.60 to 2.56)`."""
    if not values:
        return "-"
    median, least, most = (
        f"{value:.{digits}f}" for value in (statistics.median(values), min(values), max(values))
    )
    return f"{median} ({least} to {most})"


def ratio(own: Sequence[float], other: Sequence[float]) -> str:
    """The median of one as a part of the median of another."""
    if not own or not other or not statistics.median(other):
        return "-"
    return f"{statistics.median(own) / statistics.median(other):.2f}"


def section(title: str, rounds: int, rows: Iterable[Sequence[str]], notes: str) -> str:
    """A section: a table, whose first row is its head, and notes (a list in Markdown)."""
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    columns = head.count("|") - 1
    machine = f"{os.cpu_count()} cores, {platform.machine()}, {time.strftime('%Y-%m-%d')}"
    lines = [
        f"## {title}",
        "",
        f"Machine: {machine}; {rounds} round{'s' if rounds > 1 else ''}.",
        "",
        head,
        "|" + "---|" * columns,
        *body,
        "",
        *(_wrapped(note) for note in notes.strip().split("\n- ")),
    ]
    return "\n".join(lines)


def _wrapped(note: str) -> str:
    text = " ".join(note.removeprefix("- ").split())
    return textwrap.fill(f"- {text}", 110, subsequent_indent="  ", break_long_words=False)


def write(sections: Iterable[str], order: Sequence[str]) -> None:
    """Put sections into the page, in place of older ones of the same title; `order` lists all titles."""
    present = {}
    if PATH.exists():
        parts = re.split(r"^(?=## )", PATH.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
        present = {_title(part): part.strip() for part in parts}
    present |= {_title(part): part for part in sections}
    text = "\n\n".join([HEAD.strip(), *(present[title] for title in order if title in present)])
    PATH.write_text(text + "\n", encoding="utf-8")


def _title(part: str) -> str:
    return part.splitlines()[0].removeprefix("## ").strip()
