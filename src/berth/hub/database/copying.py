"""All that JupyterHub keeps, copied between databases of any kind, in one transaction on either side.

A copy is a SQLite file with JupyterHub's own tables, whatever the hub itself uses. So a backup can be read
without a server, and be brought back into either kind (docs/adr/0014-database-and-backup.md).
"""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from alembic.script import ScriptDirectory
from jupyterhub import dbutil, orm
from sqlalchemy import MetaData, Table, create_engine, func, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection, Engine

VERSION_TABLE: Final = "alembic_version"
ROWS_AT_A_TIME: Final = 1000


class DatabaseError(Exception):
    """The database cannot be read, copied or brought up to date; the text says why."""


@contextmanager
def engine(url: str) -> Iterator[Engine]:
    """Have an engine; errors of the database become sentences, without statement and values."""
    made = create_engine(url, poolclass=NullPool)
    try:
        yield made
    except SQLAlchemyError as error:
        reason = getattr(error, "orig", None) or error
        message = f"{made.url.render_as_string()}: {reason}"
        raise DatabaseError(message) from error
    finally:
        made.dispose()


def head() -> str:
    """Return the revision of the schema that this version of JupyterHub has."""
    return str(ScriptDirectory(dbutil.ALEMBIC_DIR).get_current_head())


def revision(connection: Connection) -> str | None:
    """Return the revision of a database's schema; None for one without JupyterHub's tables."""
    if "users" not in inspect(connection).get_table_names():
        return None
    version = Table(VERSION_TABLE, MetaData(), autoload_with=connection)
    return str(connection.scalar(select(version)))


def upgradable(known: str) -> bool:
    """Tell whether a schema is an older one of JupyterHub's, so that it can be brought up to date."""
    scripts = ScriptDirectory(dbutil.ALEMBIC_DIR)
    return known in {item.revision for item in scripts.walk_revisions()}


def check(known: str | None, name: str) -> None:
    """Raise DatabaseError for a schema that this version does not understand."""
    if known is None:
        raise DatabaseError(f"{name} has no tables of JupyterHub's")
    if not upgradable(known):
        message = (
            f"{name} has the schema {known} of a newer JupyterHub than the one installed here; install the "
            "version of Berth that it was made with, or take a backup that this version made"
        )
        raise DatabaseError(message)


def upgrade(url: str) -> None:
    """Bring a schema up to date, by JupyterHub's own steps. Have a backup first."""
    # JupyterHub runs `alembic`, which lies beside the interpreter.
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '/usr/bin:/bin')}"
    try:
        dbutil.upgrade(url)
    except OSError as error:
        raise DatabaseError(f"alembic cannot be run: {error}") from error
    except Exception as error:  # of alembic's, which has said all of it
        raise DatabaseError(f"the schema could not be brought up to date: {error}") from error


def dump(url: str, target: Path) -> None:
    """Copy a database into a new SQLite file, as it is at one moment; the hub may be running."""
    with engine(url) as source:
        if source.dialect.name == "sqlite":
            _copy_file(Path(str(source.url.database)), target)
            return
        with source.connect().execution_options(isolation_level="REPEATABLE READ") as reading:
            check(revision(reading), "the database")
            with engine(f"sqlite:///{target}") as made, made.begin() as writing:
                # With the schema that it has, which may be an older one.
                _fill(reading, writing, _reflected(reading))


def load(source: Path, url: str) -> None:
    """Make a database hold what a SQLite file holds, and nothing else. Nobody else may be using it."""
    with tempfile.TemporaryDirectory() as directory:
        copied = Path(directory) / "copy.sqlite"
        _copy_file(source, copied)
        bring_up_to_date(copied)
        with engine(url) as target:
            if target.dialect.name == "sqlite":
                _copy_file(copied, Path(str(target.url.database)))
                return
            with engine(f"sqlite:///{copied}") as made, made.connect() as reading, target.begin() as writing:
                _fill(reading, writing, orm.Base.metadata)
                _stamp(writing)


def bring_up_to_date(path: Path) -> None:
    """Give a SQLite file, which is a copy, the schema of today."""
    url = f"sqlite:///{path}"
    with engine(url) as made, made.connect() as reading:
        known = revision(reading)
    check(known, path.name)
    if known != head():
        upgrade(url)


def _copy_file(source: Path, target: Path) -> None:
    """Copy by SQLite's own means, which see a moment between two transactions."""
    try:
        with (
            closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as reading,
            closing(sqlite3.connect(target)) as writing,
        ):
            reading.backup(writing)
    except sqlite3.Error as error:
        raise DatabaseError(f"{source.name} cannot be copied to {target.name}: {error}") from error


def _reflected(reading: Connection) -> MetaData:
    """Return the tables as they are, with columns of types that every kind of database has."""
    found = MetaData()
    found.reflect(reading)
    for column in (column for table in found.tables.values() for column in table.columns):
        column.type, column.server_default = column.type.as_generic(), None
    return found


def _fill(reading: Connection, writing: Connection, tables: MetaData) -> None:
    _refuse_strangers(reading)
    # Made anew: those of an older schema would not take the rows. PostgreSQL does it within the transaction.
    tables.drop_all(writing)
    tables.create_all(writing)
    for table in tables.sorted_tables:
        rows = reading.execute(select(table)).mappings()
        while some := [dict(row) for row in rows.fetchmany(ROWS_AT_A_TIME)]:
            writing.execute(table.insert(), some)


def _stamp(writing: Connection) -> None:
    """Note the schema of today, and have the numbers of new rows begin after those that were copied."""
    writing.execute(text(f"DROP TABLE IF EXISTS {VERSION_TABLE}"))
    writing.execute(text(f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    writing.execute(text(f"INSERT INTO {VERSION_TABLE} VALUES (:head)"), {"head": head()})  # noqa: S608 - ours
    for table in orm.Base.metadata.sorted_tables if writing.dialect.name == "postgresql" else ():
        if "id" in table.columns:
            last = writing.scalar(select(func.max(table.columns["id"])))
            sequence = func.pg_get_serial_sequence(table.name, "id")
            writing.execute(select(func.setval(sequence, last or 1, last is not None)))


def _refuse_strangers(reading: Connection) -> None:
    strangers = set(inspect(reading).get_table_names()) - set(orm.Base.metadata.tables) - {VERSION_TABLE}
    if strangers:
        raise DatabaseError(
            f"the database has tables that are not JupyterHub's: {', '.join(sorted(strangers))}"
        )
