"""A hundred users who wait block nobody: what a look at the queue costs does not depend on who else looks."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jupyterhub import orm, roles
from jupyterhub.user import User

from berth.helper.client import Resources, SubmitResult, Verdict
from berth.hub.collector.client import CollectorClient
from berth.hub.collector.snapshot import Snapshot, Update, Watch
from berth.slurm.free import queueing
from tests.unit.hub.factories import HUB, NOW, job, snapshot
from tests.unit.hub.test_spawner import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    import pytest

    from berth.hub.session.spawner import BerthSpawner
    from berth.slurm.answers.records import Job
    from tests.unit.hub.conftest import Stage

USERS = 100


class Childless(CollectorClient):
    """The real client with no child: the test publishes, and sees all that would have been asked."""

    def __init__(self) -> None:
        super().__init__(HUB.slurm)
        self.snapshot = snapshot()
        self.sent: list[object] = []

    def _send(self, message: object) -> None:
        self.sent.append(message)

    def publish(self, jobs: dict[int, Job], asked_at: float) -> None:
        self._publish(Update("jobs_part", asked_at, fields={"jobs": jobs}))


@dataclass
class Helper:
    """Takes every request, and numbers the jobs."""

    jobs: dict[int, Job] = field(default_factory=dict)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def submit(
        self, user: str, job_name: str, layer: str, resources: Resources, environment: Mapping[str, str]
    ) -> SubmitResult:
        assert layer
        assert resources.cores
        assert environment
        number = next(self.numbers)
        self.jobs[number] = job(job_id=number, name=job_name, user=user, priority=1)
        return SubmitResult(Verdict.OK, number)


@dataclass
class Crowd:
    """A hundred starts that wait, each with its page open."""

    collector: Childless
    helper: Helper
    starts: list[asyncio.Task[tuple[str, int]]]
    streams: list[AsyncIterator[dict[str, Any]]]

    async def next_events(self) -> list[dict[str, Any]]:
        return await asyncio.gather(*(anext(stream) for stream in self.streams))

    async def leave(self) -> None:
        for task in self.starts:
            task.cancel()
        await asyncio.wait(self.starts)


async def crowd_of(stage: Stage) -> Crowd:
    collector, helper = Childless(), Helper()
    stage.service.collector = collector
    stage.service.helper = helper  # type: ignore[assignment]
    collector.snapshot = replace(
        collector.snapshot,
        associations=tuple(
            replace(collector.snapshot.associations[0], user=f"user{number}") for number in range(USERS)
        ),
    )
    spawners = [begin(stage, f"user{number}") for number in range(USERS)]
    starts = [asyncio.create_task(spawner.start()) for spawner in spawners]
    await until(lambda: len(helper.jobs) == USERS and all(item.record for item in spawners), 60)
    await until(lambda: all(item.record and item.record.job_id for item in spawners), 60)
    crowd = Crowd(collector, helper, starts, [spawner.progress() for spawner in spawners])
    await crowd.next_events()
    return crowd


def begin(stage: Stage, name: str) -> BerthSpawner:
    row = orm.User(name=name)
    stage.database.add(row)
    roles.grant_role(stage.database, entity=row, rolename="user")
    stage.database.commit()
    user = User(row, stage.user.settings, db=stage.database)
    return replace(stage, user=user).begin()


async def test_a_hundred_waiting_users_cost_one_look_each_and_no_question(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd = await crowd_of(stage)
    looks, orders = 0, 0
    look, order = Snapshot.job, queueing.places

    def counted_look(self: Snapshot, *arguments: Any) -> Job | None:
        nonlocal looks
        looks += 1
        return look(self, *arguments)

    def counted_order(jobs: Any) -> dict[int, int]:
        nonlocal orders
        orders += 1
        return order(jobs)

    monkeypatch.setattr(Snapshot, "job", counted_look)
    monkeypatch.setattr(queueing, "places", counted_order)
    crowd.collector.sent.clear()
    crowd.collector.publish(crowd.helper.jobs, NOW + 5)
    events = await crowd.next_events()

    # Each has a place of its own, from one sorting of the queue; nobody asked Slurm anything.
    places = {dict(event["status"]["facts"])["Place"] for event in events}
    assert len(places) == USERS
    assert orders == 1
    assert crowd.collector.sent == []
    # One look for the start, one for the stream, and one for a stream that came before the snapshot.
    assert looks <= 3 * USERS

    await crowd.leave()


async def test_a_hundred_submissions_are_one_watch_and_wake_ups_that_the_child_folds_into_one(
    stage: Stage,
) -> None:
    crowd = await crowd_of(stage)
    watches = [item for item in crowd.collector.sent if isinstance(item, Watch)]
    assert watches[-1].job_ids == frozenset(crowd.helper.jobs)
    assert {item for item in crowd.collector.sent if isinstance(item, str)} == {"wake"}
    await crowd.leave()
