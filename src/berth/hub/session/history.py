"""The last sessions of each user: what they asked for, what they used, and how they ended.

Kept in memory for all users and, by `BerthSpawner.get_state`, in the state of their spawners in JupyterHub's
database. Facts are stored, not sentences; those are made when a page is shown. An entry is there from the
moment a session ends; accounting's figures, which may come much later, are filled in.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final

from berth.hub.session.state import SessionRecord
from berth.slurm.answers.jobs import FORGOTTEN, Job

if TYPE_CHECKING:
    from berth.hub.collector.snapshot import Snapshot

MAX_SESSIONS: Final = 30
"""Sessions of one user that are kept, however young they are."""
GIVE_UP_SECONDS: Final = 3600.0
"""Accounting that has not told all of an ended session after so long is asked no more."""
DAY_SECONDS: Final = 86400

Owner = tuple[str, str]
"""Names of a user and of the server."""


@dataclass(frozen=True)
class PastSession:
    """One session that has ended, or whose end is wanted."""

    record: SessionRecord
    job: Job | None
    """What Slurm last said of it."""
    closed_at: float
    """Unix time at which the hub let go of it."""
    wanted: bool = False
    """Its end was asked for in the hub: by its user, by an operator, or by a start that failed."""
    told: bool = False
    """A later start has made how it ended old news."""
    settled: bool = False
    """Nothing more will be learnt of it."""

    @property
    def as_wished(self) -> bool:
        """Whether its user ended it on purpose, in the hub: not if something else came first."""
        return self.record.ended_by is None and self.on_purpose

    @property
    def on_purpose(self) -> bool:
        """Whether somebody did, an operator included."""
        if not self.wanted or self.record.failure is not None:
            return False
        job = self.job
        return job is None or not job.ended or job.cancelled_by_user or job.state in {"COMPLETED", FORGOTTEN}

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types."""
        stored = {item.name: getattr(self, item.name) for item in fields(self)}
        return stored | {"record": self.record.to_dict(), "job": _job_to_dict(self.job)}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> PastSession:
        """Read a stored session; keys of another version of Berth are ignored."""
        known = {item.name: stored[item.name] for item in fields(cls) if item.name in stored}
        record, job = SessionRecord.from_dict(stored["record"]), _job_from_dict(stored["job"])
        return cls(**{**known, "record": record, "job": job})


@dataclass
class History:
    """The past sessions of all users; one for each hub."""

    days: int
    """How long they are kept; 0: only how the last one ended, until that is old news."""
    _sessions: dict[Owner, tuple[PastSession, ...]] = field(default_factory=dict)
    _open: set[Owner] = field(default_factory=set)
    """Owners of whose sessions something may still be learnt: nobody else's are looked at often."""

    def of(self, owner: Owner) -> tuple[PastSession, ...]:
        """Return an owner's past sessions, the youngest first."""
        return self._sessions.get(owner, ())

    def last(self, owner: Owner) -> PastSession | None:
        """Return the last session, None where there is none or a later start has made it old news."""
        newest = next(iter(self.of(owner)), None)
        return None if newest is None or newest.told else newest

    def restore(self, owner: Owner, stored: list[dict[str, Any]]) -> None:
        """Take what the database has of an owner, unless more is known already."""
        if owner not in self._sessions:
            self._keep(owner, tuple(filter(None, map(_read, stored))))

    def stored(self, owner: Owner) -> list[dict[str, Any]]:
        """Return what the database keeps of an owner."""
        return [item.to_dict() for item in self.of(owner)]

    def put(self, owner: Owner, past: PastSession) -> None:
        """Add a session, or what is newly known of one."""
        others = [item for item in self.of(owner) if item.record.nonce != past.record.nonce]
        sessions = sorted([*others, past], key=lambda item: -item.record.requested_at)
        self._keep(owner, self._pruned(tuple(sessions), past.closed_at))

    def prove(self, owner: Owner, record: SessionRecord, job: Job, now: float) -> PastSession:
        """Note the end of a session that the hub had let go of before Slurm proved it; return it."""
        known = next((item for item in self.of(owner) if item.record.nonce == record.nonce), None)
        past = replace(known or PastSession(record, None, now, wanted=True), job=job)
        self.put(owner, past)
        return past

    def drop(self, owner: Owner, record: SessionRecord) -> None:
        """Forget a session that Slurm never had after all."""
        self._keep(owner, tuple(item for item in self.of(owner) if item.record.nonce != record.nonce))

    def start(self, owner: Owner, now: float) -> None:
        """Note that the owner starts anew: how the last session ended is old news."""
        sessions = tuple(replace(item, told=True) for item in self.of(owner))
        self._keep(owner, self._pruned(sessions, now))

    def _keep(self, owner: Owner, sessions: tuple[PastSession, ...]) -> None:
        self._sessions[owner] = sessions
        if all(item.settled for item in sessions):
            self._open.discard(owner)
        else:
            self._open.add(owner)

    def _pruned(self, sessions: tuple[PastSession, ...], now: float) -> tuple[PastSession, ...]:
        oldest = now - self.days * DAY_SECONDS
        return tuple(
            item
            for place, item in enumerate(sessions[:MAX_SESSIONS])
            if item.closed_at > oldest or (place == 0 and not item.told)
        )

    @property
    def unaccounted(self) -> frozenset[int]:
        """Jobs whose figures accounting has not given yet."""
        items = (item for owner in self._open for item in self.of(owner) if not item.settled)
        return frozenset(item.job.job_id for item in items if item.job is not None and item.job.ended)

    def refresh(self, snapshot: Snapshot, now: float) -> set[Owner]:
        """Take in accounting's answers; return whose history changed."""
        changed = set()
        for owner in list(self._open):
            sessions = self.of(owner)
            known = tuple(item if item.settled else _accounted(item, snapshot, now) for item in sessions)
            if known != sessions:
                self._keep(owner, known)
                changed.add(owner)
        return changed

    def prune(self, now: float) -> set[Owner]:
        """Let go of what is too old; return whose history changed."""
        changed = set()
        for owner, sessions in list(self._sessions.items()):
            kept = self._pruned(sessions, now)
            if kept != sessions:
                self._keep(owner, kept)
                changed.add(owner)
        return changed


def _read(stored: dict[str, Any]) -> PastSession | None:
    """Return a stored session, None for what this version cannot read: it is only history."""
    try:
        return PastSession.from_dict(stored)
    except (KeyError, TypeError):
        return None


def _accounted(past: PastSession, snapshot: Snapshot, now: float) -> PastSession:
    """Return the session with what accounting says of it by now."""
    job = past.job
    if job is None or not job.ended:
        return past  # the janitor proves its end first
    if snapshot.controller is not None and not snapshot.controller.accounting:
        return replace(past, settled=True)
    answer = snapshot.accounted(job.job_id, job.user)
    if answer is None or answer.name != job.name or not answer.ended:
        return replace(past, settled=now - past.closed_at > GIVE_UP_SECONDS)
    # Slurm 22.05 knows neither in accounting.
    code = job.exit_code if answer.exit_code is None else answer.exit_code
    answer = replace(answer, exit_code=code, reservation=answer.reservation or job.reservation)
    late = now - past.closed_at > GIVE_UP_SECONDS
    return replace(past, job=answer, settled=answer.usage_complete or late)


def _job_to_dict(job: Job | None) -> dict[str, Any] | None:
    """Return what differs from a job of which nothing is known: most of it is empty."""
    if job is None:
        return None
    return {item.name: value for item in fields(job) if (value := getattr(job, item.name)) != _default(item)}


def _default(item: Any) -> Any:  # noqa: ANN401 - a field of any type
    return item.default_factory() if item.default_factory is not MISSING else item.default


def _job_from_dict(stored: dict[str, Any] | None) -> Job | None:
    if stored is None:
        return None
    known = {item.name: stored[item.name] for item in fields(Job) if item.name in stored}
    return Job(**{**known, "nodes": tuple(known.get("nodes", ()))})
