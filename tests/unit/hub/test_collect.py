"""The collector asks once for everybody, backs off, and never takes absence for an end."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from berth.hub import collect, explain, pace, pipe
from berth.hub.snapshot import Snapshot, Watch
from berth.slurm import client

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(__file__).resolve().parents[1] / "data"
"""Answers that real Slurms gave (see the README there)."""


class Slurm:
    """Answers with recorded documents, by the program and what it is asked for."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.asked: list[list[str]] = []
        self.down = False
        self.config = self.read("config.txt")
        self.partitions = self.read("partitions.json")
        self.unknown: set[int] = set()
        self.refusal = "scontrol --all show job: slurm_load_jobs error: Invalid job id specified"
        self.takes = 0.0
        self.clock = 1000.0
        self.jobs = json.loads(self.read("squeue.json"))
        self.read_queue: str | None = None
        self.refused = "nothing"

    def without_accounting(self, private: str = "none") -> None:
        recorded = (DATA / "slurm-24.11/config-without-accounting.txt").read_text(encoding="utf-8")
        self.config = recorded.replace("= none", f"= {private}")

    def job(self) -> str:
        number = int(self.asked[-1][-1])
        if number in self.unknown:
            raise client.SlurmRefused(self.refusal)
        return f"JobId={number} JobState=RUNNING"

    def read(self, name: str) -> str:
        return (DATA / f"slurm-{self.version}" / name).read_text(encoding="utf-8")

    async def run(self, argv: list[str], timeout: float) -> str:  # noqa: ASYNC109 - as the real one
        assert timeout > 0
        self.asked.append(argv)
        self.clock += self.takes
        if "--version" in argv:
            return self.read("version.txt")
        if self.down:
            raise client.SlurmUnavailable("Unable to contact slurm controller")
        words = " ".join(argv)
        if self.refused in words:
            raise client.SlurmUnavailable("no accounting")
        answers: list[tuple[str, Callable[[], str]]] = [
            ("squeue", lambda: json.dumps(self.jobs) if self.read_queue is None else self.read_queue),
            ("show node", lambda: self.read("nodes.json")),
            ("show partition", lambda: self.partitions),
            ("show reservation", lambda: self.read("reservations.json")),
            ("sacct ", lambda: self.read("sacct.json")),
            ("show assoc", lambda: self.read("associations.txt")),
            ("show user", lambda: self.read("users.txt")),
            ("show qos", lambda: self.read("qos.txt")),
            ("show config", lambda: self.config),
            ("show job", self.job),
        ]
        return next(answer() for part, answer in answers if part in words)

    def count(self, word: str) -> int:
        return sum(word in " ".join(argv) for argv in self.asked)


@pytest.fixture(params=["24.11", "26.05"])
def slurm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Slurm:
    scripted = Slurm(request.param)
    monkeypatch.setattr(client, "run", scripted.run)
    return scripted


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, slurm: Slurm) -> None:
    """Time passes only while Slurm answers."""
    monkeypatch.setattr(collect, "time", SimpleNamespace(monotonic=lambda: slurm.clock, time=time.time))


def collector() -> collect.Collector:
    return collect.Collector("interactive", "/usr/bin", 5.0, 30.0)


async def test_one_round_answers_everything_and_counts_the_table(slurm: Slurm) -> None:
    asking = collector()
    assert await asking.round(woken=False)
    snapshot = asking.snapshot
    assert snapshot.complete
    assert snapshot.jobs
    assert snapshot.nodes
    assert snapshot.partition is not None
    assert snapshot.partition.name == "interactive"
    assert snapshot.associations
    assert set(snapshot.qos) == {"normal", "limited", "roomy"}
    assert {shape.cores for shape in snapshot.shapes} == {4, 8}
    assert snapshot.openings.tables[None]
    assert slurm.count("sacct ") == 0


async def test_a_second_round_is_not_due_at_once_but_a_wake_up_asks_the_queue_only(slurm: Slurm) -> None:
    asking = collector()
    await asking.round(woken=False)
    slurm.asked.clear()
    assert not await asking.round(woken=False)
    assert await asking.round(woken=True)
    assert [Path(argv[0]).name for argv in slurm.asked] == ["squeue"]


async def test_when_slurm_is_away_the_last_state_stays_with_its_age_and_the_error(slurm: Slurm) -> None:
    asking = collector()
    await asking.round(woken=False)
    before = asking.snapshot
    slurm.down = True
    await asking.round(woken=True)
    assert asking.snapshot.jobs == before.jobs
    assert asking.snapshot.jobs_part.asked_at == before.jobs_part.asked_at
    assert "Unable to contact" in asking.snapshot.jobs_part.error


@pytest.mark.parametrize("answer", ['{"jobs": [{"job_id": 7, "job_state": [{}]}]}', "{}", "[]", "hello", ""])
async def test_an_answer_that_nobody_thought_of_changes_nothing(slurm: Slurm, answer: str) -> None:
    asking = collector()
    await asking.round(woken=False)
    before = asking.snapshot
    slurm.read_queue = answer
    await asking.round(woken=True)
    assert asking.snapshot.jobs == before.jobs
    assert asking.snapshot.jobs_part.asked_at == before.jobs_part.asked_at
    assert asking.snapshot.jobs_part.error


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(("takes", "expected"), [(0.1, [1]), (2.0, [0, 0, 0, 1])], ids=["quick", "slow"])
async def test_an_answer_that_took_long_is_handed_over_before_the_next_question(
    slurm: Slurm, takes: float, expected: list[int]
) -> None:
    asked: list[int] = []

    async def hand_over(_: Snapshot) -> None:
        asked.append(slurm.count("show assoc"))

    slurm.takes = takes
    await collector().round(woken=False, hand_over=hand_over)
    assert asked == expected


async def test_an_accounting_that_is_away_makes_nobody_doubt_the_queue(slurm: Slurm) -> None:
    asking = collector()
    asking.watch = Watch(job_ids=frozenset({999_999}))
    slurm.refused = "sacct "
    await asking.round(woken=False)
    assert asking.snapshot.jobs
    assert asking.snapshot.jobs_part.error == ""
    assert "no accounting" in asking.snapshot.ends_part.error
    assert asking.snapshot.searched_at == 0.0
    slurm.refused = "nothing"
    asking = collector()
    await asking.round(woken=False)
    assert asking.snapshot.searched_at > 0.0


@pytest.mark.usefixtures("clock")
async def test_a_slow_answer_delays_the_next_question(slurm: Slurm) -> None:
    asking = collector()
    await asking.round(woken=False)
    slurm.takes = 2.0
    await asking.round(woken=True)
    assert asking._queue.due_at == slurm.clock + 5.0 * 2.0


@pytest.mark.usefixtures("clock")
async def test_the_first_answer_after_an_outage_is_soon_followed_by_another_however_long_it_took(
    slurm: Slurm,
) -> None:
    asking = collector()
    slurm.down = True
    await asking.round(woken=False)
    slurm.clock = asking.next_due
    slurm.down = False
    slurm.takes = 10.0
    await asking.round(woken=False)
    assert asking.snapshot.nodes
    slurm.takes = 0.0
    slurm.asked.clear()
    slurm.clock += pace.RETRY_SECONDS
    assert await asking.round(woken=False)
    assert slurm.count("show node") == 1


async def test_a_watched_job_that_the_queue_no_longer_lists_is_looked_up_in_accounting(slurm: Slurm) -> None:
    asking = collector()
    await asking.round(woken=False)
    gone = next(job for job in asking.snapshot.jobs.values() if job.state == "OUT_OF_MEMORY")
    slurm.jobs["jobs"] = [item for item in slurm.jobs["jobs"] if item["job_id"] != gone.job_id]
    asking.watch = Watch(job_ids=frozenset({gone.job_id}))
    await asking.round(woken=True)
    found = asking.snapshot.job(gone.job_id, gone.name, gone.user)
    assert found is not None
    assert found.state == "OUT_OF_MEMORY"
    looked_up = slurm.count("sacct ")
    await asking.round(woken=True)
    assert slurm.count("sacct ") == looked_up


async def test_an_empty_queue_proves_no_end(slurm: Slurm) -> None:
    asking = collector()
    asking.watch = Watch(job_ids=frozenset({424242}))
    slurm.jobs["jobs"] = []
    await asking.round(woken=False)
    assert asking.snapshot.job(424242, "berth-x", "alice") is None
    assert 424242 not in asking.snapshot.ended


async def test_the_partition_itself_says_how_many_share_a_core(slurm: Slurm) -> None:
    asking = collector()
    await asking.round(woken=False)
    assert asking.snapshot.shared_by == 5
    document = json.loads(slurm.read("partitions.json"))
    for item in document["partitions"]:
        item["maximums"]["oversubscribe"]["jobs"] = 3
    # 26.05 has the number in a text.
    slurm.partitions = json.dumps(document).replace("FORCE:5", "FORCE:3")
    again = collector()
    await again.round(woken=False)
    assert again.snapshot.shared_by == 3


async def test_without_accounting_nobody_is_asked_for_accounts(slurm: Slurm) -> None:
    slurm.without_accounting()
    asking = collector()
    asking.watch = Watch(job_ids=frozenset({424242}), names=frozenset({"berth-x"}))
    await asking.round(woken=False)
    assert asking.snapshot.complete
    assert asking.snapshot.controller is not None
    assert not asking.snapshot.controller.accounting
    assert asking.snapshot.associations == ()
    assert slurm.count("sacct") == 0


async def test_without_accounting_a_job_is_over_when_the_controller_twice_does_not_know_it(
    slurm: Slurm,
) -> None:
    slurm.without_accounting()
    slurm.unknown = {424242}
    asking = collector()
    asking.watch = Watch(job_ids=frozenset({424242, 424243}))
    await asking.round(woken=False)
    assert asking.snapshot.job(424242, "berth-x", "alice") is None
    await asking.round(woken=True)
    found = asking.snapshot.job(424242, "berth-x", "alice")
    assert found is not None
    assert found.ended
    assert "accounting is inactive" in str(explain.ended(found))
    # The other one is not listed, but the controller has it: it lives.
    assert asking.snapshot.job(424243, "berth-y", "alice") is None
    asking.watch = Watch()
    await asking.round(woken=True)
    assert asking.snapshot.forgotten == frozenset()


async def test_without_accounting_a_controller_that_hides_jobs_proves_no_end(slurm: Slurm) -> None:
    slurm.without_accounting(private="jobs")
    slurm.unknown = {424242}
    asking = collector()
    asking.watch = Watch(job_ids=frozenset({424242}))
    for _ in range(3):
        await asking.round(woken=True)
    assert asking.snapshot.job(424242, "berth-x", "alice") is None
    assert slurm.count("show job") == 0


async def test_a_controller_that_cannot_be_asked_proves_no_end(slurm: Slurm) -> None:
    slurm.without_accounting()
    slurm.unknown = {424242}
    asking = collector()
    await asking.round(woken=False)
    asking.watch = Watch(job_ids=frozenset({424242}))
    slurm.refusal = "slurm_load_jobs error: Access/permission denied"
    for _ in range(3):
        await asking.round(woken=True)
    assert asking.snapshot.job(424242, "berth-x", "alice") is None


async def test_accounting_that_is_turned_off_is_noticed(slurm: Slurm) -> None:
    asking = collector()
    await asking.round(woken=False)
    assert asking.snapshot.associations
    slurm.without_accounting()
    asking._accounts.due_at = 0.0
    await asking.round(woken=False)
    assert asking.snapshot.associations == ()


@pytest.mark.usefixtures("slurm")
async def test_messages_pass_the_pipe_whole() -> None:
    asking = collector()
    await asking.round(woken=False)
    reader = asyncio.StreamReader()

    class Writer:
        def write(self, data: bytes) -> None:
            reader.feed_data(data)

    writer: Any = Writer()
    pipe.send(writer, asking.snapshot)
    pipe.send(writer, "wake")
    assert await pipe.receive(reader) == asking.snapshot
    assert await pipe.receive(reader) == "wake"


async def test_an_ended_job_that_the_queue_still_lists_is_asked_for_in_accounting_until_it_is_complete(
    slurm: Slurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("berth.hub.ends.time", SimpleNamespace(monotonic=lambda: slurm.clock))
    asking = collector()
    asking.watch = Watch(accounted=frozenset({3}))
    await asking.round(woken=True)
    found = asking.snapshot.accounted(3, "alice")
    assert found is not None
    assert found.usage_complete
    assert slurm.count("sacct ") == 1
    await asking.round(woken=True)
    assert slurm.count("sacct ") == 1


async def test_accounting_that_stays_behind_is_asked_more_and_more_rarely(
    slurm: Slurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("berth.hub.ends.time", SimpleNamespace(monotonic=lambda: slurm.clock))
    asking = collector()
    asking.watch = Watch(accounted=frozenset({424242, 424243}))
    for _ in range(600):
        await asking.round(woken=True)
        slurm.clock += 5
    # Fifty minutes: one question for both at a time, each pause twice the last one.
    assert 5 < slurm.count("sacct ") < 15
