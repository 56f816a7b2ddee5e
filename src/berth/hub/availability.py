"""The table "Available resources": nodes by number of free GPUs, from the last snapshot."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from berth.hub.snapshot import Snapshot

JUST_NOW_SECONDS = 15


@dataclass(frozen=True)
class Row:
    """One GPU type. `nodes[n]` = nodes with n free GPUs; None where no node has so many."""

    gpu_type: str | None
    title: str
    nodes: tuple[int | None, ...]


@dataclass(frozen=True)
class Table:
    """All rows, with the age of the figures in seconds and what Slurm failed to answer since."""

    columns: tuple[int, ...]
    rows: tuple[Row, ...]
    age_seconds: int
    error: str

    @property
    def age_text(self) -> str:
        """The age in words."""
        if self.age_seconds < JUST_NOW_SECONDS:
            return "as of just now"
        if self.age_seconds < 120:  # noqa: PLR2004 - two minutes
            return f"{self.age_seconds} seconds old"
        return f"{self.age_seconds // 60} minutes old"

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types."""
        return asdict(self)


def table(snapshot: Snapshot, now: float) -> Table:
    """Return the table at the Unix time `now`; without rows when nothing is known yet."""
    asked_at = min(snapshot.nodes_part.asked_at, snapshot.jobs_part.asked_at)
    counted = snapshot.gpu_rows
    columns = tuple(range(max((row.total for row in counted), default=0) + 1))
    rows = tuple(
        Row(
            gpu_type=row.gpu_type,
            title=_title(row.gpu_type),
            nodes=tuple(row.nodes.get(n, 0) if n <= row.total else None for n in columns),
        )
        for row in counted
    )
    return Table(
        columns=columns,
        rows=rows,
        age_seconds=int(now - asked_at) if asked_at else 0,
        error=snapshot.nodes_part.error or snapshot.jobs_part.error,
    )


def _title(gpu_type: str | None) -> str:
    if gpu_type is None:
        return "Nodes without GPU"
    return gpu_type or "GPU"
