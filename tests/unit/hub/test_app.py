"""A hub that starts takes up what an earlier one left, whatever state it is in."""

from __future__ import annotations

import asyncio
import gc
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from jupyterhub import orm
from jupyterhub.app import JupyterHub
from jupyterhub.objects import Server
from jupyterhub.user import User, UserDict

from berth.hub.app import BerthHub
from tests.unit.hub.factories import job
from tests.unit.hub.test_spawner import nobody_answers, started, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from berth.hub.session.spawner import BerthSpawner
    from tests.unit.hub.conftest import Stage


@dataclass
class Routes:
    """Remembers what was done to the routes."""

    done: list[str] = field(default_factory=list)

    async def add_user(self, user: User, name: str) -> None:
        self.done.append(f"add {user.spawners[name].server.ip}")

    async def delete_user(self, user: User, name: str) -> None:
        self.done.append(f"delete {user.name}{name}")


@dataclass
class Hub:
    """A hub on the stage, as far as sessions need it."""

    app: BerthHub
    routes: Routes
    stage: Stage

    @property
    def spawner(self) -> BerthSpawner:
        spawner: BerthSpawner = self.app.users[self.stage.user.name].spawners[""]
        return spawner


@pytest.fixture
async def hub(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    async def up(_user: User, spawner: BerthSpawner) -> None:
        spawner._start_pending = spawner._waiting_for_response = False

    monkeypatch.setattr(User, "_wait_up", up)
    app = BerthHub()
    app.service, app.db, app._tasks = stage.service, stage.database, set()
    routes = Routes()
    app.proxy = routes
    app.users = UserDict(lambda: stage.database, stage.user.settings)
    yield Hub(app, routes, stage)
    for task in app._tasks:
        task.cancel()
    BerthHub.clear_instance()


async def ready(stage: Stage) -> None:
    """Leave a session that serves, as a killed hub does."""
    spawner, task = await started(stage)
    spawner.session_reported(40001)
    stage.collector.publish(job(state="RUNNING", nodes=("gpu2",)))
    spawner.server.ip, spawner.server.port = await task
    stage.database.commit()
    stage.restarted()


async def test_a_running_session_is_followed_and_ends_on_evidence(hub: Hub) -> None:
    await ready(hub.stage)
    assert await hub.app.init_spawners() == 1
    assert hub.spawner.ready
    hub.stage.collector.publish(ended=(job(state="COMPLETED", exit_code=0),))
    await hub.spawner.poll_and_notify()
    assert hub.routes.done == ["delete alice"]
    assert hub.stage.user.orm_user.api_tokens == []
    assert hub.stage.helper.cancelled == []


async def test_a_record_that_cannot_be_read_keeps_nobody_else_out(hub: Hub) -> None:
    await ready(hub.stage)
    other = orm.User(name="bob")
    hub.stage.database.add(other)
    hub.stage.database.commit()
    server = orm.Server(base_url="/user/bob/")
    row = orm.Spawner(user=other, name="", server=server, state={"session": {"nonce": "b" * 32}})
    hub.stage.database.add(row)
    hub.stage.database.commit()
    assert await hub.app.init_spawners() == 2
    assert hub.spawner.ready
    assert row.state == {"session": {"nonce": "b" * 32}}


async def test_the_token_of_a_start_that_was_killed_before_its_record_is_revoked(hub: Hub) -> None:
    spawner = hub.stage.begin()
    spawner.api_token = hub.stage.user.new_api_token(note="Server at /user/alice/")
    kept = hub.stage.user.new_api_token(note="my own")
    hub.stage.restarted()
    await hub.app.init_spawners()
    await until(lambda: hub.stage.spawner.orm_spawner.server is None)
    await until(lambda: hub.spawner._spawn_future is not None and hub.spawner._spawn_future.done())
    assert "nothing was started" in str(hub.spawner._spawn_future.exception())
    assert hub.routes.done == ["delete alice"]
    left = [token for token in hub.stage.user.orm_user.api_tokens if token.note != "session"]
    assert [token.match(kept) for token in left] == [True]


async def test_the_token_of_a_session_that_lives_is_kept(hub: Hub, stage: Stage) -> None:
    stage.begin()
    token = stage.user.new_api_token(note="Server at /user/alice/")
    stage.spawner.api_token = token
    task = asyncio.create_task(stage.spawner.start())
    await until(lambda: stage.spawner.record is not None and stage.spawner.record.job_id)
    task.cancel()
    stage.restarted()
    await hub.app.init_spawners()
    assert orm.APIToken.find(stage.database, token) is not None


async def test_a_session_whose_job_slurm_runs_again_is_served_where_it_runs_then(hub: Hub) -> None:
    await ready(hub.stage)
    await hub.app.init_spawners()
    hub.stage.collector.publish(job(state="PENDING", reason="BeginTime", restarts=1))
    await until(lambda: hub.spawner.pending == "spawn")
    await until(lambda: hub.routes.done == ["delete alice"])
    assert hub.spawner.record is not None
    assert (hub.spawner.record.port, hub.spawner.record.phase) == (None, "queued")
    hub.stage.collector.publish(job(state="RUNNING", nodes=("gpu1",), restarts=1))
    hub.spawner.session_reported(40009)
    await until(lambda: hub.spawner.ready)
    assert hub.routes.done == ["delete alice", "add 198.18.0.11"]
    assert (hub.spawner.server.port, len(hub.spawner._callbacks)) == (40009, 1)
    assert len(hub.stage.helper.submitted) == 1


async def test_a_start_that_is_taken_up_again_and_cannot_be_reached_says_so(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Server, "wait_up", nobody_answers)
    _, task = await started(hub.stage)
    task.cancel()
    hub.stage.restarted()
    await hub.app.init_spawners()
    hub.spawner.session_reported(40001)
    hub.stage.collector.publish(job(state="RUNNING", nodes=("gpu1",)))
    await until(lambda: hub.stage.helper.cancelled)
    hub.stage.collector.publish(job(state="CANCELLED", nodes=("gpu1",)))
    await until(lambda: hub.spawner.ending is not None)
    assert "serves on gpu1, port 40001, but this service cannot reach it" in str(hub.spawner.last_end)


async def test_a_start_whose_job_was_requeued_waits_for_a_new_report(stage: Stage) -> None:
    spawner, task = await started(stage)
    stage.collector.publish(job(state="RUNNING", nodes=(), restarts=0))
    spawner.session_reported(40001)
    await asyncio.sleep(0.05)
    stage.collector.publish(job(state="RUNNING", nodes=("gpu1",), restarts=1))
    await asyncio.sleep(0.05)
    assert not task.done()
    spawner.session_reported(40002)
    assert await task == ("198.18.0.11", 40002)


async def test_trouble_with_one_session_does_not_hide_the_requeue_of_another(hub: Hub) -> None:
    await ready(hub.stage)
    await hub.app.init_spawners()
    followed = next(iter(hub.stage.service.followed.values()))
    hub.stage.service.followed = {
        "0": type(followed)("nobody", "", followed.record),
        followed.record.nonce: followed,
    }
    hub.stage.collector.publish(job(state="PENDING", restarts=1))
    await until(lambda: hub.spawner.pending == "spawn")


async def test_an_error_of_work_in_the_background_is_logged(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr("berth.hub.app.janitor.sweep_forever", fail)
    hub.app.log = logging.getLogger("hub")
    await hub.app.init_spawners()
    await until(lambda: "Work in the background ended" in caplog.text)
    assert "nobody thought of this" in caplog.text


async def test_what_a_started_hub_keeps_for_good_is_not_searched_for_garbage(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start(_app: JupyterHub) -> None:
        return

    monkeypatch.setattr(JupyterHub, "start", start)
    try:
        await hub.app.start()
        assert gc.get_freeze_count() > len(gc.get_objects())
    finally:
        gc.unfreeze()
