"""All sessions at a glance, for operators: rows made of what the hub and its collector know already."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from jupyterhub import orm

from berth.hub.session.state import STOPPING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.orm import Session as Database

    from berth.hub.service import Followed, Service
    from berth.slurm.answers.records import Job

Key = tuple[str, str]
"""Names of a user and of the server."""


@dataclass(frozen=True)
class Row:
    """One session whose end is not proven. None: not known."""

    user: str
    server: str
    """Name of the server; empty for the only one."""
    state: str
    """Slurm's state of the job; STOPPING from the order to end it; SUBMITTING before Slurm has shown it."""
    job_id: int | None
    node: str
    cores: int
    memory_mib: int
    gpus: int
    gpu_type: str
    release: str
    interface: str
    idle_seconds: int | None
    """Since JupyterHub last saw activity (`last_activity`)."""
    left_seconds: int | None
    """Until Slurm ends it; None while it does not run."""

    @property
    def name(self) -> str:
        """How commands name it: `USER` or `USER/SERVER`."""
        return f"{self.user}/{self.server}" if self.server else self.user

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types."""
        return asdict(self)


def rows(service: Service, database: Database) -> list[Row]:
    """Return every session that is followed, by name; asks neither Slurm nor any session."""
    active, now = _last_activities(database), time.time()
    found = [
        _row(service, item, active.get((item.user, item.server)), now) for item in service.followed.values()
    ]
    return sorted(found, key=lambda row: (row.name, row.job_id or 0))


def _last_activities(database: Database) -> dict[Key, dt.datetime]:
    """Return when each session was last used, in one query however many there are; UTC without a zone."""
    query = database.query(orm.User.name, orm.Spawner.name, orm.Spawner.last_activity)
    query = query.join(orm.Spawner, orm.Spawner.user_id == orm.User.id)
    query = query.filter(orm.Spawner.server_id.isnot(None), orm.Spawner.last_activity.isnot(None))
    return {(user, server): active for user, server, active in query}


def _row(service: Service, item: Followed, active: dt.datetime | None, now: float) -> Row:
    record = item.record
    job = service.collector.snapshot.job(record.job_id, record.job_name, item.user)
    asked = record.asked
    ending = item.abandoned or record.phase == STOPPING
    return Row(
        user=item.user,
        server=item.server,
        state="STOPPING" if ending else "SUBMITTING" if job is None else job.state,
        job_id=record.job_id,
        node=",".join(job.nodes) if job is not None else "",
        cores=asked.get("cores", 0),
        memory_mib=asked.get("memory_mib", 0),
        gpus=asked.get("gpus", 0),
        gpu_type=asked.get("gpu_type") or "",
        release=asked.get("release", ""),
        interface=asked.get("interface", ""),
        idle_seconds=None if active is None or item.abandoned else _since(active, now),
        left_seconds=_left(job, now),
    )


def _since(active: dt.datetime, now: float) -> int:
    return max(0, int(now - active.replace(tzinfo=dt.UTC).timestamp()))


def _left(job: Job | None, now: float) -> int | None:
    if job is None or not job.running or not job.end_time:
        return None
    return max(0, int(job.end_time - now))


COLUMNS: Final = (
    *("user", "job_id", "state", "node", "gpus", "cores", "memory_mib"),
    *("release", "interface", "idle_seconds", "left_seconds"),
)
"""What lists show, and by what they are sorted."""
FALLING: Final = frozenset({"gpus", "cores", "memory_mib", "idle_seconds"})
"""The columns of which the most comes first."""


def ordered(found: Iterable[Row], column: str) -> list[Row]:
    """Return rows sorted by one of COLUMNS, what is not known last. A column that is none: as they come."""
    listed = list(found)
    if column not in COLUMNS:
        return listed
    known = [row for row in listed if getattr(row, column) not in {None, ""}]
    known.sort(key=lambda row: getattr(row, column), reverse=column in FALLING)
    return known + [row for row in listed if getattr(row, column) in {None, ""}]


def sums(found: Iterable[Row]) -> Mapping[str, int]:
    """Return what all of them hold that run: sessions, cores, MiB, GPUs."""
    running = [row for row in found if row.left_seconds is not None]
    return {
        "sessions": len(running),
        "cores": sum(row.cores for row in running),
        "memory_mib": sum(row.memory_mib for row in running),
        "gpus": sum(row.gpus for row in running),
    }
