"""More time for a running session: who gets it, what limits it, and what is said."""

from __future__ import annotations

import dataclasses
import json
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from berth.helper.client import ExtendResult, Verdict
from berth.hub.session import extension
from berth.hub.session.allowance import Extension
from berth.slurm.answers import qos
from berth.slurm.answers.records import Controller, Qos
from tests.unit.hub.factories import PARTITION, job, reservation
from tests.unit.hub.test_sessions_pages import serving
from tests.unit.hub.website import Website

if TYPE_CHECKING:
    from berth.hub.session.spawner import BerthSpawner
    from tests.unit.hub.conftest import Stage

__all__ = ["serving"]

RULE = Extension(hours=1, times=2, most_hours=6)


@dataclass
class Extending:
    """The helper's side: raises the limit of the job that the collector shows, unless told otherwise."""

    stage: Stage
    verdict: Verdict = Verdict.OK
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    async def __call__(self, user: str, job_id: int, job_name: str, minutes: int) -> ExtendResult:
        self.asked.append((user, job_id, job_name, minutes))
        if self.verdict is Verdict.OK:
            known = self.stage.collector.snapshot.jobs[job_id]
            end = (known.end_time or 0) + 60 * (minutes - (known.time_limit or 0))
            self.stage.collector.publish(replace(known, time_limit=minutes, end_time=end))
        return ExtendResult(self.verdict, "Because.")


@pytest.fixture
def helper(stage: Stage, serving: BerthSpawner, monkeypatch: pytest.MonkeyPatch) -> Extending:  # noqa: ARG001
    made = Extending(stage)
    stage.helper.extend = made  # type: ignore[attr-defined]
    allow(stage, RULE)
    monkeypatch.setattr(extension, "SEEN_SECONDS", 0.05)
    return made


def allow(stage: Stage, rule: Extension | None) -> None:
    stage.service.hub = stage.service.hub.model_copy(update={"walltime_extension": rule})


def shows(stage: Stage, **changes: Any) -> None:
    """Let Slurm say something else of the job."""
    (known,) = stage.collector.snapshot.jobs.values()
    stage.collector.publish(replace(known, **changes))


async def said(stage: Stage, spawner: BerthSpawner) -> str:
    return str(await extension.extend(stage.service, spawner) or "")


async def test_it_gets_the_whole_time_and_shows_the_new_end(
    stage: Stage, serving: BerthSpawner, helper: Extending
) -> None:
    before, record = serving.ends_at() or 0, serving.record
    assert record is not None
    assert serving.extension_hours == 1
    assert await said(stage, serving) == ""
    assert helper.asked == [("alice", 7, record.job_name, 120)]
    assert serving.ends_at() == before + 3600
    assert record.extensions == 1


async def test_off_means_off(stage: Stage, serving: BerthSpawner, helper: Extending) -> None:
    allow(stage, None)
    assert serving.extension_hours is None
    assert "gives running sessions no more time" in await said(stage, serving)
    assert helper.asked == []


async def test_only_so_often_also_after_a_restart(
    stage: Stage, serving: BerthSpawner, helper: Extending
) -> None:
    for _ in range(2):
        assert await said(stage, serving) == ""
    assert serving.extension_hours is None
    assert "2 times, and this one was" in await said(stage, serving)
    again = stage.restarted()
    assert "2 times, and this one was" in await said(stage, again)
    assert len(helper.asked) == 2


async def test_a_look_that_is_late_asks_for_the_same_again_and_not_for_more(
    stage: Stage, serving: BerthSpawner, helper: Extending
) -> None:
    helper.verdict = Verdict.UNKNOWN
    assert "Slurm has not said" in await said(stage, serving)
    assert "Slurm has not said" in await said(stage, serving)
    assert [item[3] for item in helper.asked] == [120, 120]


@pytest.mark.parametrize("verdict", [Verdict.REFUSED, Verdict.UNAVAILABLE])
async def test_what_was_refused_does_not_count(
    stage: Stage, serving: BerthSpawner, helper: Extending, verdict: Verdict
) -> None:
    helper.verdict = verdict
    assert "cannot have more time now" in await said(stage, serving)
    assert serving.record is not None
    assert serving.record.extensions == 0


@pytest.mark.parametrize("changes", [{"state": "COMPLETING"}, {"state": "SUSPENDED"}, {"end_time": None}])
async def test_only_a_running_one(
    stage: Stage, serving: BerthSpawner, helper: Extending, changes: dict[str, Any]
) -> None:
    shows(stage, **changes)
    assert "There is no running session" in await said(stage, serving)
    assert helper.asked == []


async def test_none_where_none_runs_and_none_without_a_limit(
    stage: Stage, serving: BerthSpawner, helper: Extending
) -> None:
    shows(stage, time_limit=None)
    assert "no time limit" in await said(stage, serving)
    serving.record = None
    assert "There is no running session" in await said(stage, serving)
    assert helper.asked == []


async def test_the_site_s_bound_the_form_and_the_partition_limit_it(
    stage: Stage, serving: BerthSpawner, helper: Extending
) -> None:
    shows(stage, time_limit=330)
    assert "may last 6 hours in all by extensions" in await said(stage, serving)
    assert serving.extension_hours is None
    allow(stage, Extension(hours=1, most_hours=99))
    shows(stage, time_limit=2 * 1440)
    assert "longer than 2 days, the longest time of the form" in await said(stage, serving)
    shows(stage, time_limit=450)  # the partition's MaxTime is 480
    assert "of this account last 8 hours at most" in await said(stage, serving)
    partition = dataclasses.replace(PARTITION, max_time=510)
    stage.collector.snapshot = replace(stage.collector.snapshot, partition=partition)
    assert await said(stage, serving) == ""
    assert [item[3] for item in helper.asked] == [510]


async def test_the_qos_limits_it(stage: Stage, serving: BerthSpawner, helper: Extending) -> None:
    limited = Qos("normal", frozenset(), {(qos.JOB, qos.WALL): 90})
    enforcing = Controller(accounting=True, associations=True, private_jobs=False, limits=True)
    stage.collector.snapshot = replace(
        stage.collector.snapshot, qos={"normal": limited}, controller=enforcing
    )
    assert "of this account last 1 hour 30 minutes at most" in await said(stage, serving)
    assert helper.asked == []


@pytest.mark.parametrize(
    ("changes", "flags", "refused"),
    [
        ({"name": "mine", "end": 5000}, (), "the reservation mine ends before that"),
        ({"name": "mine", "end": 5000}, ("FLEX",), ""),
        ({"name": "mine", "end": 9000}, (), ""),
        ({"name": "disks", "start": 6000, "end": 9000}, ("MAINT",), "the node is reserved for disks"),
        ({"name": "disks", "start": 8000, "end": 9000}, ("MAINT",), ""),
        ({"name": "disks", "start": 6000, "end": 9000, "nodes": ("gpu1",)}, (), ""),
    ],
)
async def test_reservations_limit_it(  # noqa: PLR0913, PLR0917 - fixtures and cases
    stage: Stage,
    serving: BerthSpawner,
    helper: Extending,
    changes: dict[str, Any],
    flags: tuple[str, ...],
    refused: str,
) -> None:
    now = int(time.time())  # the session ends after 3,700 s, and after 7,300 s when it was extended
    moved = {name: value + now if isinstance(value, int) else value for name, value in changes.items()}
    item = reservation(accounts=("proj_a",), flags=flags, **moved)
    stage.collector.snapshot = replace(stage.collector.snapshot, reservations=(item,))
    if item.name == "mine":
        shows(stage, reservation="mine")
    assert refused in await said(stage, serving)
    assert bool(helper.asked) is not bool(refused)


async def test_the_button_asks_and_says_no_with_a_sentence(
    stage: Stage, serving: BerthSpawner, helper: Extending
) -> None:
    site = Website(stage)
    site.scopes = {"servers", "start:servers", "read:users:name"}
    try:
        button = (await site.page("/hub/home")).select_one("#extend")
        assert button is not None
        assert button.get_text(strip=True) == "Ask for one more hour"
        answer = await site.send("POST", "/hub/berth/extend/alice", "")
        assert (answer.code, answer.headers["Location"]) == (302, "/hub/home")
        helper.verdict = Verdict.REFUSED
        assert serving.record is not None
        answer = await site.send("POST", "/hub/berth/extend/alice", "")
        assert answer.code == 409
        assert b"cannot have more time now" in answer.body
        site.scopes = {"start:servers!user=bob"}
        assert (await site.send("POST", "/hub/berth/extend/alice", "")).code in {403, 404}
        assert len(helper.asked) == 2
    finally:
        site.server.stop()


async def test_lab_asks_with_the_session_s_own_token(
    stage: Stage, serving: BerthSpawner, helper: Extending
) -> None:
    site = Website(stage)
    token = {"Authorization": f"token {serving.api_token}"}
    path = "/hub/api/berth/session"
    try:
        before = json.loads((await site.get(path, **token)).body)
        assert before["extension_hours"] == 1
        answer = await site.send("POST", f"{path}/extend", "{}", **token)
        assert json.loads(answer.body)["end"] == before["end"] + 3600
        helper.verdict = Verdict.REFUSED
        answer = await site.send("POST", f"{path}/extend", "{}", **token)
        assert answer.code == 409
        assert json.loads(answer.body)["message"]["it"].startswith("Al momento la sessione")
        assert (await site.send("POST", f"{path}/extend", "{}")).code == 403
    finally:
        site.server.stop()


def test_nothing_is_known_of_a_job_without_a_record() -> None:
    assert extension.offered(RULE, None, job(state="RUNNING")) is None
