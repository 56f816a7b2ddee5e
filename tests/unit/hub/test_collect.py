"""The collector asks once for everybody, backs off, and never takes absence for an end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from berth.hub.collector import pipe, questions
from berth.hub.collector import process as collect
from berth.hub.collector.snapshot import Part, Snapshot, Update, Watch
from berth.hub.session import explain
from berth.slurm.answers import client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

DATA = Path(__file__).resolve().parents[1] / "data"
"""Answers that real Slurms gave (see the README there)."""


class Slurm:
    """Answers with recorded documents, by the program and what it is asked for."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.asked: list[list[str]] = []
        self.down = False
        self.silent: set[str] = set()
        self.frozen: set[str] = set()
        self.config = self.read("config.txt")
        # Asked for as text whatever the version; recorded of one.
        self.partitions = (DATA / "slurm-22.05/partitions.txt").read_text(encoding="utf-8")
        self.unknown: set[int] = set()
        self.refusal = "scontrol --all show job: slurm_load_jobs error: Invalid job id specified"
        self.takes = 0.0
        self.clock = 1000.0
        self.jobs = json.loads(self.read("squeue.json"))
        self.read_queue: str | None = None

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
        program = Path(argv[0]).name
        if program in self.frozen:
            await asyncio.Event().wait()
        if self.down or program in self.silent:
            raise client.SlurmUnavailable("Unable to contact slurm controller")
        words = " ".join(argv)
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


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch, slurm: Slurm) -> None:
    """Time passes only while Slurm answers."""
    passing = SimpleNamespace(monotonic=lambda: slurm.clock, time=time.time)
    monkeypatch.setattr(collect, "time", passing)
    monkeypatch.setattr(questions, "time", passing)


def collector() -> collect.Collector:
    return collect.Collector("interactive", "/usr/bin", 5.0, 30.0)


async def woken(asking: collect.Collector, slurm: Slurm) -> bool:
    """Wake it a second later, and answer what it asks then."""
    slurm.clock += questions.WAKE_INTERVAL
    asking.wake()
    return await asking.round()


async def test_one_round_answers_everything_and_counts_the_table(slurm: Slurm) -> None:
    asking = collector()
    assert await asking.round()
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


async def test_an_answer_says_how_long_it_took_and_gpus_are_counted_beside_the_nodes(slurm: Slurm) -> None:
    handed: dict[str, Update] = {}

    async def hand_over(update: Update) -> None:
        handed[update.part] = update

    slurm.takes = 0.5
    asking = collector()
    await asking.round(hand_over)
    # The queue is one command after that for the version; nodes, partition and reservations are three.
    assert (handed["jobs_part"].seconds, handed["nodes_part"].seconds) == (1.0, 1.5)
    total = sum(sum(node.gpus.values()) for node in asking.snapshot.nodes)
    counted = asking.snapshot.gpu_totals.values()
    assert total == sum(item.allocated + item.idle + item.unavailable for item in counted) > 0


async def test_a_second_round_is_not_due_at_once_but_a_wake_up_asks_the_queue_only(slurm: Slurm) -> None:
    asking = collector()
    await asking.round()
    slurm.asked.clear()
    assert not await asking.round()
    assert await woken(asking, slurm)
    assert [Path(argv[0]).name for argv in slurm.asked] == ["squeue"]


async def test_when_slurm_is_away_the_last_state_stays_with_its_age_and_the_error(slurm: Slurm) -> None:
    asking = collector()
    await asking.round()
    before = asking.snapshot
    slurm.down = True
    await woken(asking, slurm)
    assert asking.snapshot.jobs == before.jobs
    assert asking.snapshot.jobs_part.asked_at == before.jobs_part.asked_at
    assert "Unable to contact" in asking.snapshot.jobs_part.error


@pytest.mark.parametrize("answer", ['{"jobs": [{"job_id": 7, "job_state": [{}]}]}', "{}", "[]", "hello", ""])
async def test_an_answer_that_nobody_thought_of_changes_nothing(slurm: Slurm, answer: str) -> None:
    asking = collector()
    await asking.round()
    before = asking.snapshot
    slurm.read_queue = answer
    await woken(asking, slurm)
    assert asking.snapshot.jobs == before.jobs
    assert asking.snapshot.jobs_part.asked_at == before.jobs_part.asked_at
    assert asking.snapshot.jobs_part.error


async def test_each_answer_is_handed_over_before_the_next_question(slurm: Slurm) -> None:
    handed: list[tuple[str, int]] = []

    async def hand_over(update: Update) -> None:
        handed.append((update.part, slurm.count("show node") + slurm.count("show assoc")))

    asking = collector()
    await asking.round(hand_over)
    assert handed == [("jobs_part", 0), ("nodes_part", 1), ("ends_part", 1), ("accounts_part", 2)]


@contextlib.asynccontextmanager
async def kept_asking(asking: collect.Collector, handed: list[Update]) -> AsyncIterator[None]:
    async def hand_over(update: Update) -> None:
        handed.append(update)

    tasks = [asyncio.create_task(asking.keep_asking(lane, hand_over)) for lane in asking.lanes]
    yield
    for task in tasks:
        assert not task.done()
        task.cancel()


@pytest.mark.parametrize("program", ["sacct", "sacctmgr"])
async def test_a_frozen_accounting_keeps_no_queue_from_being_read(slurm: Slurm, program: str) -> None:
    slurm.frozen = {program}
    asking = collector()
    asking.watch = Watch(job_ids=frozenset({424242}))
    handed: list[Update] = []
    async with kept_asking(asking, handed), asyncio.timeout(5):
        for looks in range(1, 4):
            while [update.part for update in handed].count("jobs_part") < looks:
                await asyncio.sleep(0.01)
            slurm.clock += questions.WAKE_INTERVAL
            asking.wake()
    assert asking.snapshot.jobs
    assert asking.snapshot.nodes
    assert not asking.snapshot.jobs_part.error
    assert slurm.count(f"{program} ") == 1, "no second one while the first is not answered"


async def test_an_accounting_that_fails_is_no_silence_of_the_queue_and_is_asked_again_later(
    slurm: Slurm,
) -> None:
    slurm.silent = {"sacct"}
    asking = collector()
    asking.watch = Watch(job_ids=frozenset({424242}))
    await asking.round()
    assert not asking.snapshot.jobs_part.error
    assert "Unable to contact" in asking.snapshot.ends_part.error
    await woken(asking, slurm)
    assert slurm.count("sacct ") == 1
    slurm.silent = set()
    slurm.clock += collect.ENDS_RETRY_SECONDS
    await asking.round()
    assert asking.snapshot.ends_part == Part(asking.snapshot.jobs_part.asked_at)


async def test_a_submission_is_absent_only_when_accounting_too_says_so_of_a_later_look(slurm: Slurm) -> None:
    recorded = json.loads(slurm.read("sacct.json"))["jobs"][0]["name"]
    slurm.jobs["jobs"] = []
    slurm.silent = {"sacct"}
    asking = collector()
    asking.watch = Watch(names=frozenset({"berth-x", recorded}))
    await asking.round()
    assert asking.snapshot.absent == {}
    slurm.silent = set()
    slurm.clock += collect.ENDS_RETRY_SECONDS
    await asking.round()
    assert asking.snapshot.absent == {"berth-x": asking.snapshot.jobs_part.asked_at}


async def test_without_accounting_the_queue_alone_says_that_a_submission_is_absent(slurm: Slurm) -> None:
    slurm.without_accounting()
    asking = collector()
    asking.watch = Watch(names=frozenset({"berth-x", next(iter(slurm.jobs["jobs"]))["name"]}))
    await asking.round()
    assert asking.snapshot.absent == {"berth-x": asking.snapshot.jobs_part.asked_at}


async def test_what_has_not_changed_is_not_handed_over_again(slurm: Slurm) -> None:
    handed: list[Update] = []

    async def hand_over(update: Update) -> None:
        handed.append(update)

    asking = collector()
    await asking.round(hand_over)
    told = Snapshot()
    for update in handed:
        told = told.updated(update)
    assert told == asking.snapshot
    handed.clear()
    slurm.clock += collect.ACCOUNTS_INTERVAL
    await asking.round(hand_over)
    assert [(update.part, dict(update.fields)) for update in handed] == [
        (part, {}) for part in ("jobs_part", "nodes_part", "ends_part", "accounts_part")
    ]


async def test_the_first_answer_of_a_new_child_is_whole_even_when_it_is_empty(slurm: Slurm) -> None:
    slurm.jobs["jobs"] = []
    handed: list[Update] = []

    async def hand_over(update: Update) -> None:
        handed.append(update)

    await collector().round(hand_over)
    assert handed[0].fields["jobs"] == {}


async def test_rights_in_other_partitions_are_left_out(slurm: Slurm) -> None:
    asking = collector()
    await asking.round()
    assert {item.partition for item in asking.snapshot.associations} <= {None, "interactive"}
    elsewhere = collect.Collector("elsewhere", "/usr/bin", 5.0, 30.0)
    await elsewhere.round()
    assert {item.partition for item in elsewhere.snapshot.associations} == {None}
    assert slurm.count("show assoc") == 2


async def test_a_slow_answer_delays_the_next_question(slurm: Slurm) -> None:
    asking = collector()
    slurm.takes = 2.0
    await asking.turn(asking.lanes[0])
    left = asking.lanes[0].next_at - slurm.clock
    assert left > asking.interval


async def test_the_first_answer_after_an_outage_is_soon_followed_by_another_however_long_it_took(
    slurm: Slurm,
) -> None:
    asking = collector()
    slurm.down = True
    await asking.round()
    slurm.clock = min(lane.next_at for lane in asking.lanes)
    slurm.down = False
    slurm.takes = 10.0
    await asking.round()
    assert asking.snapshot.nodes
    slurm.takes = 0.0
    slurm.asked.clear()
    slurm.clock += questions.RETRY_SECONDS
    assert await asking.round()
    assert slurm.count("show node") == 1


async def test_a_watched_job_that_the_queue_no_longer_lists_is_looked_up_in_accounting(slurm: Slurm) -> None:
    asking = collector()
    await asking.round()
    gone = next(job for job in asking.snapshot.jobs.values() if job.state == "OUT_OF_MEMORY")
    slurm.jobs["jobs"] = [item for item in slurm.jobs["jobs"] if item["job_id"] != gone.job_id]
    asking.watch = Watch(job_ids=frozenset({gone.job_id}))
    await woken(asking, slurm)
    found = asking.snapshot.job(gone.job_id, gone.name, gone.user)
    assert found is not None
    assert found.state == "OUT_OF_MEMORY"
    looked_up = slurm.count("sacct ")
    await woken(asking, slurm)
    assert slurm.count("sacct ") == looked_up


async def test_an_empty_queue_proves_no_end(slurm: Slurm) -> None:
    asking = collector()
    asking.watch = Watch(job_ids=frozenset({424242}))
    slurm.jobs["jobs"] = []
    await asking.round()
    assert asking.snapshot.job(424242, "berth-x", "alice") is None
    assert 424242 not in asking.snapshot.ended


async def test_the_partition_itself_says_how_many_share_a_core(slurm: Slurm) -> None:
    asking = collector()
    await asking.round()
    assert asking.snapshot.shared_by == 5
    slurm.partitions = slurm.partitions.replace("FORCE:5", "FORCE:3")
    again = collector()
    await again.round()
    assert again.snapshot.shared_by == 3


async def test_without_accounting_nobody_is_asked_for_accounts(slurm: Slurm) -> None:
    slurm.without_accounting()
    asking = collector()
    asking.watch = Watch(job_ids=frozenset({424242}), names=frozenset({"berth-x"}))
    await asking.round()
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
    await asking.round()
    assert asking.snapshot.job(424242, "berth-x", "alice") is None
    await woken(asking, slurm)
    found = asking.snapshot.job(424242, "berth-x", "alice")
    assert found is not None
    assert found.ended
    assert "accounting is inactive" in str(explain.ended(found))
    # The other one is not listed, but the controller has it: it lives.
    assert asking.snapshot.job(424243, "berth-y", "alice") is None
    asking.watch = Watch()
    await woken(asking, slurm)
    assert asking.snapshot.forgotten == frozenset()


async def test_without_accounting_a_controller_that_hides_jobs_proves_no_end(slurm: Slurm) -> None:
    slurm.without_accounting(private="jobs")
    slurm.unknown = {424242}
    asking = collector()
    asking.watch = Watch(job_ids=frozenset({424242}))
    for _ in range(3):
        await woken(asking, slurm)
    assert asking.snapshot.job(424242, "berth-x", "alice") is None
    assert slurm.count("show job") == 0


async def test_a_controller_that_cannot_be_asked_proves_no_end(slurm: Slurm) -> None:
    slurm.without_accounting()
    slurm.unknown = {424242}
    asking = collector()
    await asking.round()
    asking.watch = Watch(job_ids=frozenset({424242}))
    slurm.refusal = "slurm_load_jobs error: Access/permission denied"
    for _ in range(3):
        await woken(asking, slurm)
    assert asking.snapshot.job(424242, "berth-x", "alice") is None


async def test_accounting_that_is_turned_off_is_noticed(slurm: Slurm) -> None:
    asking = collector()
    await asking.round()
    assert asking.snapshot.associations
    slurm.without_accounting()
    asking._accounts.due_at = 0.0
    await asking.round()
    assert asking.snapshot.associations == ()


@pytest.mark.usefixtures("slurm")
async def test_messages_pass_the_pipe_whole() -> None:
    asking = collector()
    await asking.round()
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
    monkeypatch.setattr("berth.hub.collector.ends.time", SimpleNamespace(monotonic=lambda: slurm.clock))
    asking = collector()
    asking.watch = Watch(accounted=frozenset({3}))
    await woken(asking, slurm)
    found = asking.snapshot.accounted(3, "alice")
    assert found is not None
    assert found.usage_complete
    assert slurm.count("sacct ") == 1
    await woken(asking, slurm)
    assert slurm.count("sacct ") == 1


async def test_accounting_that_stays_behind_is_asked_more_and_more_rarely(
    slurm: Slurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("berth.hub.collector.ends.time", SimpleNamespace(monotonic=lambda: slurm.clock))
    asking = collector()
    asking.watch = Watch(accounted=frozenset({424242, 424243}))
    for _ in range(600):
        await woken(asking, slurm)
        slurm.clock += 5
    # Fifty minutes: one question for both at a time, each pause twice the last one.
    assert 5 < slurm.count("sacct ") < 15
