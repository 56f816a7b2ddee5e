"""`berth database`: what the roles and `berth backup` ask of the hub's database, as the hub's user.

The password of a server, where there is one, comes from the environment (PGPASSWORD), as in the hub itself.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyterhub import orm
from sqlalchemy import delete, text

from berth.hub import settings
from berth.hub.database import copying
from berth.hub.session.janitor import SESSION_NOTE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from berth.hub.settings import HubSettings


def register(parser: argparse.ArgumentParser) -> None:
    """Add the commands and their options."""
    parser.add_argument("--settings", type=Path, default=Path("/etc/berth"), metavar="DIR", help="the hub's")
    parser.add_argument(
        "command", choices=COMMANDS, help="; ".join(f"{n}: {f.__doc__}" for n, f in COMMANDS.items())
    )


def run(options: argparse.Namespace) -> int:
    """Run a command; return 0, or 1 after a sentence."""
    try:
        hub, _ = settings.load(options.settings)
        COMMANDS[options.command](hub)
    except (settings.SettingsError, copying.DatabaseError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def needs(hub: HubSettings) -> None:
    """Print what has to be done before the hub starts: `nothing`, `move` or `upgrade`."""
    sys.stdout.write(f"{_needs(hub)}\n")


def _needs(hub: HubSettings) -> str:
    if hub.database_url == "" and not hub.sqlite_file.exists():
        return "nothing"  # the hub makes it
    with copying.engine(hub.db_url) as made, made.connect() as reading:
        known = copying.revision(reading)
    if known is None:
        return "move" if hub.database_url and hub.sqlite_file.exists() else "nothing"
    copying.check(known, "the hub's database")
    return "nothing" if known == copying.head() else "upgrade"


def move(hub: HubSettings) -> None:
    """Take an earlier SQLite database into the server's empty one; the hub must be stopped."""
    if _needs(hub) != "move":
        raise copying.DatabaseError("there is nothing to move, or the server's database is not empty")
    copying.load(hub.sqlite_file, hub.db_url)
    # It would be old news to whoever sets the variable back, and keeps what tokens were.
    hub.sqlite_file.rename(hub.sqlite_file.with_suffix(time.strftime(".moved-%Y%m%dT%H%M%SZ", time.gmtime())))


def upgrade(hub: HubSettings) -> None:
    """Bring the schema to the one of the installed JupyterHub; the hub must be stopped."""
    if _needs(hub) == "upgrade":
        copying.upgrade(hub.db_url)


def dump(hub: HubSettings) -> None:
    """Write a copy, which is a SQLite database, to standard output."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "hub.sqlite"
        copying.dump(hub.db_url, path)
        with path.open("rb") as stream:
            shutil.copyfileobj(stream, sys.stdout.buffer)


def load(hub: HubSettings) -> None:
    """Replace everything by the copy on standard input; the hub must be stopped."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "hub.sqlite"
        with path.open("wb") as stream:
            shutil.copyfileobj(sys.stdin.buffer, stream)
        copying.load(path, hub.db_url)


def revoke(hub: HubSettings) -> None:
    """Revoke the tokens that users made and those of their browsers; sessions that run keep theirs."""
    table = orm.APIToken.__table__
    of_sessions = table.c.note.startswith(SESSION_NOTE)
    with copying.engine(hub.db_url) as made, made.begin() as writing:
        gone = writing.execute(
            delete(table).where(table.c.user_id.isnot(None), ~(of_sessions & table.c.note.isnot(None)))
        )
        codes = writing.execute(delete(orm.OAuthCode.__table__))
    sys.stdout.write(f"{gone.rowcount + codes.rowcount}\n")


def password(hub: HubSettings) -> None:
    """Give the server the new password of the hub's role, from standard input."""
    new = sys.stdin.read().rstrip("\n")
    if not hub.database_url or not new:
        raise copying.DatabaseError("there is no server, or no new password was given")
    try:
        _set_password(hub.db_url, new)
    except copying.DatabaseError:
        os.environ["PGPASSWORD"] = new  # an earlier run may have been cut after the server took it
        _set_password(hub.db_url, new)


def _set_password(url: str, new: str) -> None:
    with copying.engine(url) as made, made.begin() as writing:
        user = str(writing.scalar(text("SELECT current_user")))
        driver: Any = writing.connection.driver_connection
        # What the server keeps, made here: the password itself does not reach its logs.
        kept = driver.pgconn.encrypt_password(new.encode(), user.encode()).decode()
        if not re.fullmatch(r"[A-Za-z0-9+/=$:-]+", kept):
            raise copying.DatabaseError("the client library returned no password that the server keeps")
        writing.exec_driver_sql(f"ALTER ROLE CURRENT_USER PASSWORD '{kept}'")


COMMANDS: Final[dict[str, Callable[[HubSettings], None]]] = {
    "needs": needs,
    "move": move,
    "upgrade": upgrade,
    "dump": dump,
    "load": load,
    "revoke": revoke,
    "password": password,
}
