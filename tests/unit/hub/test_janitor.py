"""What nobody waits for is cancelled until its end is proven, whenever the hub was killed."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
from jupyterhub import orm

from berth.hub.session import janitor
from berth.hub.session.history import PastSession
from berth.hub.session.state import STOPPING, SessionRecord
from tests.unit.hub.factories import NOW, job
from tests.unit.hub.test_spawner import until

if TYPE_CHECKING:
    from tests.unit.hub.conftest import Stage


def stopped(stage: Stage, **state: object) -> None:
    """Leave in the database what a hub left that was killed during a stop."""
    stage.collector.submitted_name = "berth-" + "a" * 32
    stage.spawner.orm_spawner.state = state
    stage.database.commit()
    stage.restarted()
    stage.service.followed.clear()


RECORD = SessionRecord("a" * 32, token_id=1, requested_at=1.0, phase=STOPPING, job_id=7).to_dict()


async def swept(stage: Stage) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(janitor.sweep_forever(stage.service, stage.database), 0.3)


async def test_an_abandoned_job_is_cancelled_and_forgotten_when_it_has_ended(stage: Stage) -> None:
    stopped(stage, abandoned=[RECORD])
    janitor.restore(stage.service, stage.database)
    stage.collector.publish(job(state="RUNNING", nodes=("gpu1",)))
    await swept(stage)
    assert stage.helper.cancelled == [("alice", 7)]
    assert len(stage.service.followed) == 1
    stage.collector.publish(job(state="CANCELLED", exit_code=0))
    await swept(stage)
    assert stage.service.followed == {}
    assert stage.spawner.orm_spawner.state["abandoned"] == []


async def test_a_hub_killed_between_server_and_job_takes_the_job_for_abandoned(stage: Stage) -> None:
    stopped(stage, session=RECORD)
    janitor.restore(stage.service, stage.database)
    assert [item.abandoned for item in stage.service.followed.values()] == [True]
    assert "session" not in stage.spawner.orm_spawner.state


async def test_a_failure_does_not_end_the_janitor(stage: Stage) -> None:
    stopped(stage, abandoned=[RECORD])
    janitor.restore(stage.service, stage.database)
    stage.collector.publish(job(state="RUNNING", nodes=("gpu1",)))
    helper = stage.service.helper
    stage.service.helper = None  # type: ignore[assignment]
    await swept(stage)
    stage.service.helper = helper
    stage.collector.publish(job(state="CANCELLED", exit_code=0))
    await swept(stage)
    assert stage.service.followed == {}


async def test_a_request_that_slurm_never_had_leaves_the_history(stage: Stage) -> None:
    lost = {**RECORD, "job_id": None, "requested_at": 0.0}
    stopped(stage, abandoned=[lost])
    janitor.restore(stage.service, stage.database)
    record = SessionRecord.from_dict(lost)
    stage.service.history.put(("alice", ""), PastSession(record, None, closed_at=1.0))
    ending = stage.spawner.ending
    assert ending is not None
    assert "before Slurm said whether it took the request" in str(ending.said)
    stage.collector.publish(asked_at=NOW, accounting=False)
    await swept(stage)
    assert len(stage.service.followed) == 1, "accounting has not answered yet"
    stage.collector.publish(asked_at=NOW)
    await swept(stage)
    assert stage.service.followed == {}
    assert stage.spawner.past_sessions == ()
    assert stage.spawner.orm_spawner.state["history"] == []


async def test_a_record_that_cannot_be_read_keeps_no_hub_from_starting_and_stays_stored(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    damaged: list[object] = [{"nonce": "b" * 32}, "nonsense"]
    stopped(stage, abandoned=[*damaged, RECORD])
    janitor.restore(stage.service, stage.database)
    assert list(stage.service.followed) == ["a" * 32]
    assert caplog.text.count("cannot be read") == 2
    stage.collector.publish(job(state="CANCELLED", exit_code=0))
    await swept(stage)
    assert stage.service.followed == {}
    assert stage.spawner.orm_spawner.state["abandoned"] == damaged
    assert stage.spawner.get_state()["abandoned"] == damaged


@pytest.mark.parametrize("broken", ["refresh", "prune"])
async def test_trouble_with_the_history_does_not_end_the_janitor(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(broken)

    stopped(stage, abandoned=[RECORD])
    janitor.restore(stage.service, stage.database)
    stage.collector.publish(job(state="RUNNING", nodes=("gpu1",)))
    monkeypatch.setattr(stage.service.history, broken, fail)
    task = asyncio.create_task(janitor.sweep_forever(stage.service, stage.database))
    await until(lambda: stage.helper.cancelled)
    await asyncio.sleep(0.05)
    stage.collector.publish(job(state="CANCELLED", exit_code=0))
    await until(lambda: not stage.service.followed)
    assert not task.done()
    task.cancel()


def test_a_token_that_was_replaced_in_the_configuration_counts_no_more(stage: Stage) -> None:
    service = orm.Service(name="berth-operator")
    stage.database.add(service)
    stage.database.commit()
    for token in ("the-first-token", "the-second-token"):
        service.new_api_token(token, note="from config", generated=False)
    own = service.new_api_token(note="made at the hub")
    janitor.revoke_replaced(
        stage.database, {"the-second-token": "berth-operator", "the-first-token": "other"}
    )
    assert orm.APIToken.find(stage.database, "the-first-token") is None
    assert orm.APIToken.find(stage.database, "the-second-token") is not None
    assert orm.APIToken.find(stage.database, own) is not None
