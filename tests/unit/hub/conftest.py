"""A spawner on a real database, with Slurm's answers and the helper's verdicts scripted."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from jupyterhub import orm, roles
from jupyterhub.objects import Hub, Server
from jupyterhub.user import User

from berth.helper.client import CancelResult, Resources, SubmitResult, Verdict
from berth.hub import service as service_module
from berth.hub.collector.snapshot import Part, Snapshot, Watch
from berth.hub.service import Service
from berth.hub.session.spawner import BerthSpawner
from tests.unit.hub.factories import FORM, HUB, JOB, RELEASE, snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from berth.releases.catalogue import Release
    from berth.slurm.answers.records import Job


@dataclass
class ScriptedCollector:
    """Gives the snapshots that the test publishes, at once."""

    snapshot: Snapshot = field(default_factory=snapshot)
    watch: Watch = field(default_factory=Watch)
    woken: int = 0
    submitted_name: str = ""

    def start(self) -> None:
        """Nothing runs."""

    def wake(self) -> None:
        self.woken += 1

    def notify(self) -> None:
        """Waiters look again every few milliseconds here."""

    def set_watch(self, watch: Watch) -> None:
        self.watch = watch

    def _named(self, item: Job) -> Job:
        """Give a job the name that was submitted, unless the test gave it one."""
        return replace(item, name=self.submitted_name) if item.name == JOB.name else item

    async def changed(self, timeout: float) -> None:  # noqa: ASYNC109 - as the real one
        await asyncio.sleep(min(timeout, 0.01))

    def publish(
        self, *jobs: Job, asked_at: float = 0.0, ended: tuple[Job, ...] = (), accounting: bool = True
    ) -> None:
        """Answer for squeue, and for accounting unless it is silent."""
        if accounting:
            self.snapshot = replace(self.snapshot, absent=dict.fromkeys(self.watch.names, asked_at))
        self.snapshot = replace(
            self.snapshot,
            jobs={item.job_id: self._named(item) for item in jobs},
            ended={item.job_id: self._named(item) for item in ended},
            jobs_part=Part(asked_at or self.snapshot.jobs_part.asked_at),
        )


@dataclass
class ScriptedHelper:
    """Answers what the test put in; remembers what was asked and what the database held then."""

    database: Any
    collector: ScriptedCollector
    answer: SubmitResult = field(default_factory=lambda: SubmitResult(Verdict.OK, 7))
    cancel_answers: list[Verdict] = field(default_factory=list)
    """What the next cancellations are answered; OK when there is none."""
    gate: asyncio.Event | None = None
    submitted: list[dict[str, Any]] = field(default_factory=list)
    cancelled: list[tuple[str, int]] = field(default_factory=list)
    stored_at_submission: list[Any] = field(default_factory=list)

    async def submit(
        self, user: str, job_name: str, layer: str, resources: Resources, environment: Mapping[str, str]
    ) -> SubmitResult:
        self.submitted.append(
            {"user": user, "name": job_name, "layer": layer, "resources": resources, "env": dict(environment)}
        )
        self.collector.submitted_name = job_name
        fresh = self.database.session_factory()
        self.stored_at_submission += [row.state for row in fresh.query(orm.Spawner)]
        fresh.close()
        if self.gate is not None:
            await self.gate.wait()
        return self.answer

    async def cancel(self, user: str, job_id: int) -> CancelResult:
        self.cancelled.append((user, job_id))
        return CancelResult(self.cancel_answers.pop(0) if self.cancel_answers else Verdict.OK)


@dataclass
class Stage:
    """Everything one test of the spawner needs."""

    service: Service
    collector: ScriptedCollector
    helper: ScriptedHelper
    user: User
    database: Any

    @property
    def spawner(self) -> BerthSpawner:
        spawner: BerthSpawner = self.user.spawners[""]
        return spawner

    def begin(self) -> BerthSpawner:
        """Do what JupyterHub does before `start`."""
        spawner = self.spawner
        server = orm.Server(base_url="/user/alice/")
        self.database.add(server)
        self.database.commit()
        spawner.server = Server(orm_server=server)
        spawner.api_token = self.user.new_api_token(note="session")
        self.database.commit()
        return spawner

    def restarted(self) -> BerthSpawner:
        """Return the spawner that a new hub process would make from the database."""
        self.service.followed.clear()
        self.user.spawners.clear()
        return self.spawner


async def answers(_server: Server, **_how: object) -> None:
    """Let every session be reached."""


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Stage]:
    factory = orm.new_session_factory(f"sqlite:///{tmp_path}/hub.sqlite")
    database = factory()
    database.session_factory = factory
    row = orm.User(name="alice")
    database.add_all([row, orm.OAuthClient(identifier="jupyterhub")])
    for role in roles.get_default_roles():
        roles.create_role(database, role)
    roles.grant_role(database, entity=row, rolename="user")
    database.commit()
    monkeypatch.setattr(service_module, "group_names", lambda _user: ("users",))
    service = Service(HUB.model_copy(update={"state_dir": tmp_path}), FORM)
    collector = ScriptedCollector()
    helper = ScriptedHelper(database, collector)
    service.collector = collector  # type: ignore[assignment]
    service.helper = helper  # type: ignore[assignment]
    releases: tuple[Release, ...] = (RELEASE,)
    monkeypatch.setattr(service, "releases", lambda: releases)
    hub = Hub(ip="127.0.0.1", port=8081, base_url="/hub/")
    monkeypatch.setattr(Server, "wait_up", answers)
    user = User(
        row,
        {"berth": service, "hub": hub, "spawner_class": BerthSpawner, "config": None, "base_url": "/"},
        db=database,
    )
    yield Stage(service, collector, helper, user, database)
    database.close()
