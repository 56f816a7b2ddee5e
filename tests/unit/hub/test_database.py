"""Copies of JupyterHub's database hold all of it, and a server's connection is never trusted for long."""

from __future__ import annotations

import asyncio
import io
import os
import sqlite3
import sys
from contextlib import closing
from datetime import datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from alembic.config import Config
from jupyterhub import orm
from jupyterhub.dbutil import _temp_alembic_ini
from sqlalchemy import event, select

from berth.hub.database import cli, connection, copying
from berth.hub.database.copying import DatabaseError
from tests.unit.hub.factories import HUB

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from berth.hub.settings import HubSettings

STATE = {"session": {"nonce": "a" * 32, "job_id": 7}, "history": [{"closed_at": 1.5}]}


def filled(path: Path) -> str:
    """A database as the hub leaves it: two users, one of them with a session, its token and a browser's."""
    url = f"sqlite:///{path}"
    session = orm.new_session_factory(url)()
    session.add_all([orm.User(name="alice"), orm.User(name="bob"), orm.Group(name="cluster")])
    session.add(orm.OAuthClient(identifier="jupyterhub", secret=""))
    session.commit()
    alice, bob = (orm.User.find(session, name) for name in ("alice", "bob"))
    alice.groups.append(session.query(orm.Group).one())
    session.add(orm.Spawner(user=alice, name="", state=STATE, server=orm.Server(ip="n1", port=4000)))
    orm.APIToken.new(token="of-the-session", user=alice, note="Server at /user/alice/")
    orm.APIToken.new(token="of-a-browser", user=alice, session_id="s")
    orm.APIToken.new(token="made-by-hand", user=bob, note="laptop", expires_in=600)
    session.commit()
    session.close()
    session.get_bind().dispose()
    return url


def contents(url: str) -> dict[str, list[tuple[Any, ...]]]:
    with copying.engine(url) as made, made.connect() as reading:
        return {
            table.name: [tuple(row) for row in reading.execute(select(table).order_by(*table.primary_key))]
            for table in orm.Base.metadata.sorted_tables
        }


@pytest.fixture
def hub(tmp_path: Path) -> HubSettings:
    filled(tmp_path / "hub.sqlite")
    return HUB.model_copy(update={"state_dir": tmp_path})


def test_a_copy_holds_everything(hub: HubSettings, tmp_path: Path) -> None:
    copying.dump(hub.db_url, tmp_path / "copy.sqlite")
    before, after = contents(hub.db_url), contents(f"sqlite:///{tmp_path / 'copy.sqlite'}")
    assert after == before
    assert len(before["users"]) == 2
    assert STATE in before["spawners"][0]
    assert any(isinstance(value, datetime) for row in before["api_tokens"] for value in row)


def copied(source: str, target: str, *, by_schema: bool) -> None:
    """Copy row by row, as from and into a server."""
    with (
        copying.engine(source) as one,
        copying.engine(target) as other,
        one.connect() as reading,
        other.begin() as writing,
    ):
        if by_schema:
            copying._fill(reading, writing, copying._reflected(reading))
        else:
            copying._fill(reading, writing, orm.Base.metadata)
            copying._stamp(writing)


@pytest.mark.parametrize("by_schema", [True, False])
def test_rows_are_copied_by_their_types(hub: HubSettings, tmp_path: Path, *, by_schema: bool) -> None:
    target = f"sqlite:///{tmp_path / 'target.sqlite'}"
    for _ in range(2):  # what was there before is replaced
        copied(hub.db_url, target, by_schema=by_schema)
    assert contents(target) == contents(hub.db_url)
    orm.new_session_factory(target)().close()  # JupyterHub takes it as its own, with today's schema


def test_an_older_schema_is_copied_as_it_is(hub: HubSettings, tmp_path: Path) -> None:
    older(hub.sqlite_file)
    copied(hub.db_url, f"sqlite:///{tmp_path / 'target.sqlite'}", by_schema=True)
    copying.bring_up_to_date(tmp_path / "target.sqlite")
    assert len(contents(f"sqlite:///{tmp_path / 'target.sqlite'}")["users"]) == 2


def test_what_is_brought_back_is_all_that_is_there_afterwards(hub: HubSettings, tmp_path: Path) -> None:
    copying.dump(hub.db_url, tmp_path / "copy.sqlite")
    before = contents(hub.db_url)
    session = orm.new_session_factory(hub.db_url)()
    session.add(orm.User(name="carol"))
    session.commit()
    session.close()
    assert contents(hub.db_url) != before
    copying.load(tmp_path / "copy.sqlite", hub.db_url)
    assert contents(hub.db_url) == before


def test_tables_of_others_are_not_left_out_quietly(hub: HubSettings, tmp_path: Path) -> None:
    with closing(sqlite3.connect(hub.sqlite_file)) as own:
        own.execute("CREATE TABLE theirs (id INTEGER)")
    with pytest.raises(DatabaseError, match="theirs"):
        copied(hub.db_url, f"sqlite:///{tmp_path / 'target.sqlite'}", by_schema=True)


def stamp(path: Path, revision: str) -> None:
    with closing(sqlite3.connect(path)) as own, own:
        own.execute("UPDATE alembic_version SET version_num = ?", (revision,))


def test_a_schema_of_a_newer_jupyterhub_is_refused_and_nothing_is_changed(
    hub: HubSettings, tmp_path: Path
) -> None:
    copying.dump(hub.db_url, tmp_path / "copy.sqlite")
    stamp(tmp_path / "copy.sqlite", "fromthefuture")
    before = hub.sqlite_file.read_bytes()
    with pytest.raises(DatabaseError, match="newer JupyterHub"):
        copying.load(tmp_path / "copy.sqlite", hub.db_url)
    assert hub.sqlite_file.read_bytes() == before


def older(path: Path) -> None:
    """Take a database back by the newest step of JupyterHub's that can be taken back."""
    with _temp_alembic_ini(f"sqlite:///{path}") as ini:
        command.downgrade(Config(ini), "-1")


def test_an_older_schema_is_brought_up_to_date(
    hub: HubSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older(hub.sqlite_file)
    cli.needs(hub)
    assert capsys.readouterr().out == "upgrade\n"
    copying.dump(hub.db_url, tmp_path / "copy.sqlite")
    cli.upgrade(hub)
    cli.needs(hub)
    assert capsys.readouterr().out == "nothing\n"
    copying.load(tmp_path / "copy.sqlite", hub.db_url)  # a backup of before the upgrade
    cli.needs(hub)
    assert capsys.readouterr().out == "nothing\n"
    assert len(contents(hub.db_url)["users"]) == 2


def test_a_first_start_needs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.needs(HUB.model_copy(update={"state_dir": tmp_path}))
    assert capsys.readouterr().out == "nothing\n"


def test_something_that_is_no_database_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "copy.sqlite").write_text("no database at all, but long enough to look at" * 40)
    with pytest.raises(DatabaseError, match=r"copy\.sqlite"):
        copying.load(tmp_path / "copy.sqlite", f"sqlite:///{tmp_path / 'hub.sqlite'}")


def test_revoking_leaves_the_tokens_of_sessions(hub: HubSettings, capsys: pytest.CaptureFixture[str]) -> None:
    cli.revoke(hub)
    assert capsys.readouterr().out == "2\n"
    notes = [row.note for row in orm.new_session_factory(hub.db_url)().query(orm.APIToken)]
    assert notes == ["Server at /user/alice/"]


def test_a_copy_goes_through_standard_output_and_input(
    hub: HubSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(hub.db_url)
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=written))
    cli.dump(hub)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(written.getvalue())))
    hub.sqlite_file.unlink()
    cli.load(hub)
    assert contents(hub.db_url) == before


# --- the connection -----------------------------------------------------------------------------------


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the hub would have ended with."""
    statuses: list[int] = []

    def end(status: int) -> None:
        statuses.append(status)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "_exit", end)
    return statuses


class NobodyListensError(Exception):
    """As a driver says that nobody listens."""


class Dialect:
    """A database that can be reached at the third attempt, or never."""

    loaded_dbapi = SimpleNamespace(OperationalError=NobodyListensError)

    def __init__(self, failures: int) -> None:
        self.failures = failures

    def connect(self, *_: object, **__: object) -> str:
        self.failures -= 1
        if self.failures >= 0:
            raise NobodyListensError("nobody listens")
        return "connected"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(connection, "RETRY_SECONDS", 0.01)


def test_a_server_that_is_away_for_a_moment_is_waited_for(ended: list[int]) -> None:
    assert connection._connect(Dialect(3), None, (), {}) == "connected"
    assert ended == []


def test_a_server_that_stays_away_ends_the_hub(ended: list[int]) -> None:
    with pytest.raises(KeyboardInterrupt):
        connection._connect(Dialect(10**6), None, (), {})
    assert ended == [connection.EXIT_STATUS]


@pytest.mark.parametrize(
    ("broken", "statuses"),
    [("during use", [connection.EXIT_STATUS]), ("by the ping", []), ("not at all", [])],
)
def test_only_a_connection_that_breaks_while_it_is_used_ends_the_hub(
    ended: list[int], broken: str, statuses: list[int]
) -> None:
    context: Any = SimpleNamespace(
        is_disconnect=broken != "not at all",
        is_pre_ping=broken == "by the ping",
        original_exception=NobodyListensError("gone"),
    )
    if statuses:
        with pytest.raises(KeyboardInterrupt):
            connection._end_when_broken(context)
    else:
        connection._end_when_broken(context)
    assert ended == statuses


@pytest.fixture
def session(hub: HubSettings) -> Iterator[Any]:
    made = orm.new_session_factory(hub.db_url)()
    yield made
    made.close()


async def test_a_connection_is_let_go_of_when_the_code_that_read_waits(session: Any) -> None:
    connection.guard(session)
    assert session.query(orm.User).count() == 2
    assert session.in_transaction()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not session.in_transaction()


async def test_what_is_being_changed_is_not_committed_by_the_guard(session: Any) -> None:
    connection.guard(session)
    commits: list[object] = []
    event.listen(session, "after_commit", commits.append)
    alice = orm.User.find(session, "alice")
    alice.admin = True
    await asyncio.sleep(0.05)
    assert commits == []
    session.rollback()
    assert alice.admin is False
    session.query(orm.User).count()
    await asyncio.sleep(0.05)
    assert not session.in_transaction()
