"""The hub's end of the collector: what it says when the child has nothing to say."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from berth.hub import collector
from berth.hub.collector import CollectorClient
from berth.hub.snapshot import Part, Snapshot, Watch
from tests.unit.hub.factories import HUB, NOW, job

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def client(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CollectorClient]:
    monkeypatch.setattr(collector, "RESTART_PAUSE", 0.01)
    made = CollectorClient(HUB.slurm)
    yield made
    await made.stop()


async def test_a_child_that_cannot_run_is_told_to_whoever_reads_the_last_state(
    client: CollectorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    client._publish(Snapshot(jobs={7: job()}, jobs_part=Part(NOW)))
    client.start()
    while not client.snapshot.jobs_part.error:
        await client.changed(5)
    assert client.snapshot.jobs_part == Part(NOW, collector.ENDED)
    assert client.snapshot.jobs == {7: job()}
    client._publish(Snapshot(jobs_part=Part(NOW + 1)))
    assert client.snapshot.jobs_part == Part(NOW + 1)


@pytest.mark.parametrize(
    ("then", "alarms"),
    [
        (Snapshot(jobs_part=Part(NOW + 1)), 1),
        (Snapshot(jobs={8: job(job_id=8)}, jobs_part=Part(NOW + 1)), 0),
        (Snapshot(ended={7: job(), 8: job(job_id=8)}, jobs_part=Part(NOW + 1)), 0),
        (Snapshot(jobs_part=Part(0, "no answer")), 0),
    ],
    ids=["all gone", "one left", "all ended", "not answered"],
)
def test_the_alarm_is_raised_when_all_sessions_vanish_at_once(
    client: CollectorClient, caplog: pytest.LogCaptureFixture, then: Snapshot, alarms: int
) -> None:
    client.set_watch(Watch(job_ids=frozenset({7, 8})))
    client._publish(Snapshot(jobs={7: job(), 8: job(job_id=8)}, jobs_part=Part(NOW)))
    client._publish(then)
    assert caplog.text.count("none of the 2 jobs") == alarms
