"""The hub's end of the collector: what it says when the child has nothing to say."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest

from berth.hub import collector
from berth.hub.collector import CollectorClient
from berth.hub.snapshot import Part, Snapshot, Watch
from tests.unit.hub.factories import HUB, NOW, job

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from berth.slurm.records import Job


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


async def test_a_child_that_hangs_is_ended_and_started_again(
    client: CollectorClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started = tmp_path / "started"
    script = tmp_path / "hangs"
    script.write_text(f"#!/bin/sh\necho $$ >> {started}\nkill -STOP $$\n", encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    monkeypatch.setattr(collector, "SILENCE_SECONDS", 0.2)
    client.start()
    async with asyncio.timeout(10):
        while not started.exists() or len(started.read_text(encoding="utf-8").split()) < 2:
            await client.changed(0.05)
    assert client.snapshot.jobs_part.error == collector.ENDED


def looked(*jobs: Job, ended: tuple[Job, ...] = (), error: str = "") -> Snapshot:
    return Snapshot(
        jobs={item.job_id: item for item in jobs},
        ended={item.job_id: item for item in ended},
        jobs_part=Part(NOW),
        ends_part=Part(NOW, error),
    )


@pytest.mark.parametrize(
    ("then", "alarms"),
    [
        (looked(), 1),
        (looked(job(job_id=8)), 0),
        (looked(ended=(job(), job(job_id=8))), 0),
        (looked(error="no answer"), 0),
    ],
    ids=["all gone", "one left", "all ended", "not looked up"],
)
def test_the_alarm_is_raised_when_all_sessions_vanish_at_once(
    client: CollectorClient, caplog: pytest.LogCaptureFixture, then: Snapshot, alarms: int
) -> None:
    client.set_watch(Watch(job_ids=frozenset({7, 8})))
    client._publish(looked(job(), job(job_id=8)))
    client._publish(then)
    client._publish(then)
    assert caplog.text.count("none of the 2 jobs") == alarms
