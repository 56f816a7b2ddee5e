"""What there is below the root: published, hidden, ended, and what only its files are left of."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from berth.releases.publish import published

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_COLUMNS = ("name", "date", "layer", "state", "ends", "size", "files", "environments")


def rows(root: Path) -> Iterator[dict[str, Any]]:
    """Give a row for each release: those of the index, newest first, then those that are retired.

    Raises ReleaseError where the index cannot be read.
    """
    today = dt.datetime.now().astimezone().date()
    names = set()
    for release in published(root):
        names.add(release.name)
        offered = "offered" if release.offered(today) else "hidden" if release.hidden else "ended"
        yield {
            "name": release.name,
            "date": release.date.isoformat(),
            "layer": release.layer,
            "state": offered,
            "ends": release.ends.isoformat() if release.ends else None,
            "bytes": release.bytes,
            "files": release.files,
            "environments": [item.name for item in release.environments],
        }
    for path in sorted(root.iterdir()) if root.is_dir() else []:
        if path.is_dir() and not path.name.startswith(".") and path.name not in names:
            blank: dict[str, Any] = dict.fromkeys(("date", "layer", "ends", "bytes", "files"))
            yield {**blank, "name": path.name, "state": "retired", "environments": []}


def table(entries: Sequence[dict[str, Any]]) -> str:
    """Lay the rows out for people."""
    lines = [[column.upper() for column in _COLUMNS]]
    for entry in entries:
        shown = {**entry, "size": size(entry["bytes"]), "environments": " ".join(entry["environments"])}
        lines.append(["-" if shown[column] in {None, ""} else str(shown[column]) for column in _COLUMNS])
    widths = [max(len(line[number]) for line in lines) for number in range(len(_COLUMNS))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n"
        for line in lines
    )


def size(count: int | None) -> str | None:
    """Give a size as people read it: 1.2 GB."""
    if count is None:
        return None
    number = float(count)
    for unit in ("B", "kB", "MB"):
        if number < 1000:  # noqa: PLR2004 - decimal units
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"
