"""A database server may be restarted while sessions run; the hub must never act on half an answer.

JupyterHub has one session of SQLAlchemy's for everything, and leaves its transaction open after it has read.
On a server that means: whatever is asked first after a restart fails, in the middle of whatever it was. Here

- the connection goes back to the pool as soon as the code that used it waits, so that each use begins with a
  fresh look at the connection, and a restart in between is not noticed;
- a server that is away is waited for, with the whole hub, for `PATIENCE_SECONDS`;
- then, or when a connection breaks in the middle of its use, the hub ends at once. systemd starts it again
  until the database is back, and it takes up every session as after any other sudden end; in between users
  read that the service restarts, and their sessions go on (docs/operate/faults.md).
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine, ExceptionContext
    from sqlalchemy.orm import Session

PATIENCE_SECONDS: Final = 10.0
"""How long a server that cannot be reached is waited for; a restart takes less."""
RETRY_SECONDS: Final = 0.25
EXIT_STATUS: Final = 75
"""EX_TEMPFAIL: worth another attempt."""

OPTIONS: Final = {
    # Has every use of the database begin with a question that reconnects.
    "pool_pre_ping": True,
    "connect_args": {
        "connect_timeout": 5,
        # A machine that vanished without a word counts as away after about as long.
        "tcp_user_timeout": 10_000,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 2,
        "application_name": "berth-hub",
    },
}
"""What SQLAlchemy and libpq are told for a server; nothing of it is for SQLite."""

log = logging.getLogger("berth.database")


def guard(session: Session) -> None:
    """Look after the connection of the hub's only session; call it within the running event loop."""
    engine: Engine = session.get_bind()  # type: ignore[assignment] # JupyterHub binds it to an engine
    session.commit()  # what the start has read
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "handle_error", _end_when_broken)
    event.listen(session, "after_begin", _release_soon)


def _connect(dialect: Any, _record: Any, arguments: Any, options: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's
    """Return a new connection, waiting for a server that is away. The hub ends when that takes too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return dialect.connect(*arguments, **options)
        except dialect.loaded_dbapi.OperationalError as error:
            log.warning("The database cannot be reached: %s", error)
            if time.monotonic() > deadline:
                _end(f"it could not be reached for {PATIENCE_SECONDS:g} seconds")
        # All of the hub waits: it could neither read nor keep anything.
        time.sleep(RETRY_SECONDS)


def _end_when_broken(context: ExceptionContext) -> None:
    if context.is_disconnect and not context.is_pre_ping:
        _end(f"its connection broke in the middle of its use: {context.original_exception}")


def _end(reason: str) -> None:
    """End the hub as a SIGKILL would, and nothing else on the way."""
    log.critical("The hub ends, to be started again with the database: %s", reason)
    logging.shutdown()
    os._exit(EXIT_STATUS)


def _release_soon(session: Session, *_: object) -> None:
    try:
        asyncio.get_running_loop().call_soon(_release, session)
    except RuntimeError:  # the hub's loop has ended, and the hub does so next
        return


def _release(session: Session) -> None:
    """Let go of a connection that was only read from; who changes something commits it."""
    if not session.in_transaction():
        return
    if session.new or session.dirty or session.deleted:
        asyncio.get_running_loop().call_later(RETRY_SECONDS, _release, session)
    else:
        session.commit()
