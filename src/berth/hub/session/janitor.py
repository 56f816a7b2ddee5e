"""Ends what nobody waits for any more: abandoned jobs are cancelled until Slurm proves their end.

It also brings the histories of all users up to date, as accounting answers when a session is long gone.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

from jupyterhub import orm
from sqlalchemy.exc import SQLAlchemyError

from berth.hub.service import Followed, Service
from berth.hub.session import story
from berth.hub.session.launch import Launch
from berth.hub.session.state import SessionRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.orm import Session

    from berth.hub.session.history import Owner
    from berth.slurm.answers.records import Job

CHECK_SECONDS: Final = 10.0
CANCEL_SECONDS: Final = 30.0
"""Seconds between two attempts to cancel the same job."""
NEVER_SUBMITTED_SECONDS: Final = 3600.0
"""A submission without an answer that no listing has shown for this long did not happen."""
SESSION_NOTE: Final = "Server at "
"""How JupyterHub begins the note of each token that it makes for a session."""
CONFIGURED_NOTE: Final = "from config"
"""The note of each token that JupyterHub takes from its configuration."""
PRUNE_SECONDS: Final = 3600.0
"""Seconds between two looks for past sessions that are too old to be kept."""

log = logging.getLogger("berth.janitor")


def restore(service: Service, session: Session) -> None:
    """Take up the abandoned sessions that the database remembers."""
    for row in session.query(orm.Spawner):
        state = dict(row.state or {})
        service.history.restore((row.user.name, row.name), state.get("history", []))
        if row.server_id is None and (left := state.pop("session", None)):
            # Killed in the middle of a stop: JupyterHub had let go of the server, we had not of the job.
            state["abandoned"] = [*state.get("abandoned", []), left]
            row.state = state
        for stored in state.get("abandoned", []):
            _take_up(service, (row.user.name, row.name), stored)
    service.update_watch()
    session.commit()


def _take_up(service: Service, owner: Owner, stored: Any) -> None:  # noqa: ANN401 - whatever is stored
    try:
        record = SessionRecord.from_dict(stored)
    except (AttributeError, TypeError):  # of another version, or damaged: it keeps nobody else out
        log.exception("An abandoned session of %s cannot be read; it stays stored: %r", owner[0], stored)
        service.unreadable.setdefault(owner, []).append(stored)
    else:
        service.follow(Followed(*owner, record, abandoned=True))


def revoke_strays(session: Session) -> None:
    """Revoke the tokens of sessions that nobody knows: a hub was killed between making one and noting it.

    Only at the start of the hub: later, JupyterHub may just be about to hand a new one to its session.
    """
    rows = session.query(orm.Spawner).filter(orm.Spawner.server_id.isnot(None))
    known = {(row.state or {}).get("session", {}).get("token_id") for row in rows}
    tokens = session.query(orm.APIToken).filter(orm.APIToken.note.startswith(SESSION_NOTE))
    for token in tokens.filter(orm.APIToken.user_id.isnot(None)):
        if token.id not in known:
            log.warning("The token of a session of %s that nobody knows is revoked.", token.user.name)
            session.delete(token)
    session.commit()


def revoke_replaced(session: Session, configured: Mapping[str, str]) -> None:
    """Revoke tokens of services that the configuration once gave and gives no more.

    JupyterHub would take them for ever. `configured` has the names of the services by token.
    """
    tokens = session.query(orm.APIToken).filter(orm.APIToken.service_id.isnot(None))
    for row in tokens.filter(orm.APIToken.note == CONFIGURED_NOTE):
        if not any(name == row.service.name and row.match(token) for token, name in configured.items()):
            log.warning("An earlier token of the service %s is revoked.", row.service.name)
            session.delete(row)
    session.commit()


async def sweep_forever(service: Service, session: Session) -> None:
    """Run until cancelled; one look at each snapshot, or every few seconds."""
    attempts: dict[str, float] = {}
    pruned_at = -PRUNE_SECONDS
    while True:
        await _sweep_all(service, session, attempts)
        try:
            changed = service.history.refresh(service.collector.snapshot, time.time())
            if time.monotonic() - pruned_at > PRUNE_SECONDS:
                pruned_at = time.monotonic()
                changed |= service.history.prune(time.time())
            if changed:
                _store(service, session, changed)
        except Exception:  # whatever it is, jobs are looked after all the same
            session.rollback()
            log.exception("Past sessions could not be brought up to date.")
        await service.collector.changed(CHECK_SECONDS)


async def _sweep_all(service: Service, session: Session, attempts: dict[str, float]) -> None:
    for item in [item for item in service.followed.values() if item.abandoned]:
        try:
            await _sweep(service, session, item, attempts)
        except Exception:  # whatever it is, the next look comes in a few seconds
            session.rollback()
            log.exception("Job %s of %s could not be looked after.", item.record.job_id, item.user)


def _store(service: Service, session: Session, owners: Iterable[Owner]) -> None:
    """Put the histories of these users into the database, and ask on only for what is still open."""
    service.update_watch()
    try:
        for owner in owners:
            if (row := _row(session, owner)) is not None:
                row.state = {**(row.state or {}), "history": service.history.stored(owner)}
        session.commit()
    except SQLAlchemyError:
        session.rollback()
        log.exception("Past sessions could not be stored; they are stored when the next one ends.")


def _row(session: Session, owner: Owner) -> orm.Spawner | None:
    name, server = owner
    user = orm.User.find(session, name)
    return user.orm_spawners.get(server) if user is not None else None


async def _sweep(service: Service, session: Session, item: Followed, attempts: dict[str, float]) -> None:
    record, snapshot = item.record, service.collector.snapshot
    if record.job_id is None and (found := snapshot.job_named(record.job_name, item.user)):
        record.job_id = found.job_id
        service.update_watch()
    job = snapshot.job(record.job_id, record.job_name, item.user)
    absent_at = snapshot.absent.get(record.job_name, 0.0)
    never = record.job_id is None and absent_at > record.requested_at + NEVER_SUBMITTED_SECONDS
    if never or (job is not None and job.ended):
        _forget(service, session, item, job)
        attempts.pop(record.nonce, None)
    elif record.job_id is not None and time.monotonic() - attempts.get(record.nonce, 0.0) > CANCEL_SECONDS:
        attempts[record.nonce] = time.monotonic()
        await Launch(service, item.user, record, save=lambda: None, server=item.server).cancel()
        service.collector.wake()


def _forget(service: Service, session: Session, item: Followed, job: Job | None) -> None:
    service.forget(item.record.nonce)
    owner = (item.user, item.server)
    if job is None:
        service.history.drop(owner, item.record)
    else:
        story.ended(owner, service.history.prove(owner, item.record, job, time.time()))
        service.update_watch()
    row = _row(session, owner)
    if row is None or not row.state:
        return
    unreadable = service.unreadable.get(owner, [])
    left = [
        stored
        for stored in row.state.get("abandoned", [])
        if stored in unreadable or stored["nonce"] != item.record.nonce
    ]
    row.state = {**row.state, "abandoned": left, "history": service.history.stored(owner)}
    session.commit()
