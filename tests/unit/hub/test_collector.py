"""The hub's end of the collector: what it says when the child has nothing to say."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest

from berth.hub.collector import client as collector
from berth.hub.collector.client import CollectorClient
from berth.hub.collector.snapshot import Part, Update, Watch
from tests.unit.hub.factories import HUB, NOW, job

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from berth.slurm.answers.records import Job


def queue(*jobs: Job, asked_at: float = NOW) -> Update:
    return Update("jobs_part", asked_at, fields={"jobs": {item.job_id: item for item in jobs}})


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
    client._publish(queue(job()))
    client.start()
    while not client.snapshot.jobs_part.error:
        await client.changed(5)
    assert client.snapshot.jobs_part == Part(NOW, collector.ENDED)
    assert client.snapshot.jobs == {7: job()}
    client._publish(queue(asked_at=NOW + 1))
    assert client.snapshot.jobs_part == Part(NOW + 1)
    assert client.snapshot.jobs == {}


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


@pytest.mark.parametrize(
    ("listed", "ends", "alarms"),
    [
        ((), Update("ends_part", NOW + 1), 1),
        ((job(job_id=8),), Update("ends_part", NOW + 1), 0),
        ((), Update("ends_part", NOW + 1, fields={"ended": {7: job(), 8: job(job_id=8)}}), 0),
        ((), Update("ends_part", error="no answer"), 0),
        ((), Update("ends_part", NOW), 0),
    ],
    ids=["all gone", "one left", "all ended", "not answered", "not asked since"],
)
def test_the_alarm_is_raised_when_all_sessions_vanish_at_once(
    client: CollectorClient,
    caplog: pytest.LogCaptureFixture,
    listed: tuple[Job, ...],
    ends: Update,
    alarms: int,
) -> None:
    client.set_watch(Watch(job_ids=frozenset({7, 8})))
    client._publish(queue(job(), job(job_id=8)))
    client._publish(queue(*listed, asked_at=NOW + 1))
    client._publish(ends)
    client._publish(ends)
    assert caplog.text.count("none of the 2 jobs") == alarms


def test_a_silent_accounting_leaves_the_queue_without_an_error(client: CollectorClient) -> None:
    client._publish(queue(job()))
    client._publish(Update("ends_part", error="sacct did not answer"))
    assert client.snapshot.jobs_part == Part(NOW)
    assert client.snapshot.ends_part == Part(0.0, "sacct did not answer")
