"""The table "Available resources": nodes by number of free GPUs, from the last snapshot."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from berth.hub.texts import text
from berth.hub.texts.text import Text, say
from berth.slurm.free.openings import Cell

if TYPE_CHECKING:
    from berth.hub.collector.snapshot import Snapshot
    from berth.slurm.free.openings import GpuRow

MINUTE: Final = 60
HOUR: Final = 3600
NO_NODES: Final = Cell(0, 0, 0)
WHOLE_GIBIBYTES: Final = 10
"""From here on, parts of a gibibyte are left out: they help nobody to choose."""


@dataclass(frozen=True)
class Row:
    """One GPU type; a place for each column, None where no node has so many GPUs."""

    gpu_type: str | None
    title: Text | str
    cells: tuple[Cell | None, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types, texts in the reader's language."""
        return {
            "gpu_type": self.gpu_type,
            "title": str(self.title),
            "nodes": [cell and cell.nodes for cell in self.cells],
            "cores": [cell and cell.cores for cell in self.cells],
            "memory_mib": [cell and cell.memory_mib for cell in self.cells],
            "details": [str(most(cell)) for cell in self.cells],
        }


@dataclass(frozen=True)
class Table:
    """All rows, when Slurm was asked for the figures (Unix time), and what it failed to answer since."""

    columns: tuple[int, ...]
    rows: tuple[Row, ...]
    reservation: str | None
    """Whose nodes are counted; None for those that are in no reservation."""
    asked_at: float
    error: str
    waiting: int = 0
    """Jobs that wait for room there."""

    @property
    def caption(self) -> Text:
        """What the table shows; the age of the figures follows."""
        if self.reservation is None:
            return say("availability.caption")
        return say("availability.caption_reservation", name=self.reservation)

    @property
    def notice(self) -> Text | str:
        """A sentence when the figures are not what they should be, else empty."""
        if not self.asked_at:
            return say("availability.unknown")
        return say("availability.silent") if self.error else ""

    def age_seconds(self, now: float) -> int:
        """Return how old the figures are; 0 when there are none."""
        return max(0, int(now - self.asked_at)) if self.asked_at else 0

    def to_dict(self, now: float) -> dict[str, Any]:
        """Return JSON types, texts in the reader's language."""
        return {
            "columns": self.columns,
            "headings": [str(say("availability.column", count=number)) for number in self.columns],
            "rows": [row.to_dict() for row in self.rows],
            "reservation": self.reservation,
            "caption": str(self.caption),
            "notice": str(self.notice),
            "waiting": self.waiting,
            "asked_at": self.asked_at,
            "age_seconds": self.age_seconds(now),
            "error": self.error,
        }


def table(snapshot: Snapshot, reservation: str | None = None) -> Table:
    """Return the table for jobs in a reservation, or in none; without rows when nothing is known yet."""
    counted = snapshot.openings.tables.get(reservation, ())
    columns = tuple(range(max((row.total for row in counted), default=0) + 1))
    return Table(
        columns=columns,
        rows=tuple(_row(row, columns) for row in counted),
        reservation=reservation,
        asked_at=min(snapshot.nodes_part.asked_at, snapshot.jobs_part.asked_at),
        error=snapshot.nodes_part.error or snapshot.jobs_part.error,
        waiting=snapshot.openings.ahead.get(reservation, 0),
    )


def age(seconds: int) -> Text:
    """Return the age of figures in words, as the browser words it when it counts on."""
    if seconds < 1:
        return say("availability.just_now")
    if seconds < MINUTE:
        return say("availability.seconds_ago", count=seconds)
    if seconds < HOUR:
        return say("availability.minutes_ago", count=seconds // MINUTE)
    return say("availability.hours_ago", count=seconds // HOUR)


def most(cell: Cell | None) -> Text | str:
    """Return what one session can get on one of the nodes of a cell; empty where there are none."""
    if cell is None or not cell.nodes:
        return ""
    if not cell.cores:
        return say("availability.nothing")
    return say("availability.most", count=cell.cores, memory=_memory(cell.memory_mib))


def _memory(mebibytes: int) -> Text:
    whole, rest = divmod(mebibytes, 1024)
    if whole >= WHOLE_GIBIBYTES or (whole and not rest):
        return say("availability.gibibytes", number=whole)
    return say("availability.mebibytes", number=mebibytes)


def _row(row: GpuRow, columns: tuple[int, ...]) -> Row:
    title = (
        say("availability.no_gpu") if row.gpu_type is None else row.gpu_type or say("availability.untyped")
    )
    cells = (row.cells.get(n, NO_NODES) if n <= row.total else None for n in columns)
    return Row(row.gpu_type, title, tuple(cells))


@dataclass
class Documents:
    """The table as JSON text for streams: made once for each snapshot, whoever and how many read it."""

    _snapshot: Snapshot | None = None
    _made: dict[tuple[str | None, str], str] = field(default_factory=dict)

    def get(self, snapshot: Snapshot, reservation: str | None) -> str:
        """Return the document in the reader's language."""
        if snapshot is not self._snapshot:
            self._snapshot, self._made = snapshot, {}
        key = (reservation, text.language.get())
        if key not in self._made:
            self._made[key] = json.dumps(table(snapshot, reservation).to_dict(time.time()))
        return self._made[key]
