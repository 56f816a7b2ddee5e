"""Sessions that have ended: how, what they used, how long that is kept, and what may come late."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from berth.hub.handlers.history import COLUMNS, cells
from berth.hub.session import explain, janitor
from berth.hub.session.history import DAY_SECONDS, GIVE_UP_SECONDS, MAX_SESSIONS, History, PastSession
from berth.hub.session.state import STOPPING, SessionRecord
from berth.hub.texts import text
from berth.hub.texts.text import say
from berth.slurm.answers import records
from berth.slurm.answers.records import Controller, Job
from tests.unit.hub.factories import NOW, job, snapshot

if TYPE_CHECKING:
    from tests.unit.hub.conftest import Stage

OWNER = ("alice", "")
ASKED = {"cores": 2, "memory_mib": 2000, "gpus": 1, "gpu_type": "a100", "release": "2026.11"}
CHOICES = (500, 1000, 2000, 4000)
DATA = Path(__file__).parents[1] / "data"


def record(number: int = 0, **changes: Any) -> SessionRecord:
    base = SessionRecord(f"{number:032x}", 1, NOW + number, phase="ready", job_id=7, asked=ASKED)
    return replace(base, **changes)


def past(number: int = 0, ended: Job | None = None, **changes: Any) -> PastSession:
    base = PastSession(record(number), ended or job(state="COMPLETED", nodes=("gpu1",)), NOW + number)
    return replace(base, **changes)


def test_a_session_that_nobody_used_says_so_once_slurm_has_ended_it() -> None:
    unused = replace(past(), record=record(idle_minutes=30))
    found = explain.ending(unused, CHOICES)
    assert str(found.said).startswith("The session ended after 30 minutes without activity")
    assert found.word == ""
    killed = replace(unused, job=job(state="TIMEOUT", time_limit=480))
    assert "reached its time limit" in str(explain.ending(killed, CHOICES).said)
    running = replace(unused, job=job(state="RUNNING"))
    assert "without activity" not in str(explain.ending(running, CHOICES).said)


# --- how it ended -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ended", "said", "word"),
    [
        (job(state="COMPLETED"), "ended by itself", ""),
        (job(state="TIMEOUT", time_limit=480), "reached its time limit of 8 h 0 min", ""),
        (job(state="NODE_FAIL"), "The node failed", "NODE_FAIL"),
        (job(state="PREEMPTED"), "higher priority took the node", "PREEMPTED"),
        (job(state="CANCELLED"), "The session was cancelled.", ""),
        (job(state="CANCELLED", cancelled_by="alice"), "cancelled by you outside this service", ""),
        (job(state="CANCELLED", cancelled_by="root"), "cancelled by an operator (root)", "CANCELLED"),
        (job(state="FAILED", exit_code=3), "failed with exit code 3", "FAILED"),
        (job(state="FAILED", signal=9), "killed by signal 9", "FAILED"),
        (job(state="FAILED"), "The session failed.", "FAILED"),
        (job(state="FORGOTTEN"), "How is not known: accounting is inactive", ""),
    ],
)
def test_an_end_is_said_with_a_word_for_the_support_where_it_was_a_bad_one(
    ended: Job, said: str, word: str
) -> None:
    found = explain.ending(past(ended=ended), CHOICES)
    assert said in str(found.said)
    assert found.word == word
    assert found.job_id == 7


@pytest.mark.parametrize("changes", [{"exit_code": 3}, {"signal": 9}, {}], ids=str)
@pytest.mark.parametrize("code", text.LANGUAGES)
def test_a_session_that_failed_names_its_log(code: str, changes: dict[str, int]) -> None:
    said = explain.ended(job(state="FAILED", **changes)).in_language(code)
    assert "~/.berth/log/session-7.log" in said


@pytest.mark.parametrize(
    ("asked", "peak", "said"),
    [
        (1000, 990, "had asked for 1000 MiB and used 990 MiB at its peak. Next time ask for 2000 MiB."),
        (1000, None, "had asked for 1000 MiB. Next time ask for 2000 MiB."),
        (2000, 3600, "Next time ask for 4000 MiB."),
        (3500, 3400, "Next time ask for 4000 MiB."),
        (4000, 4000, "That is the most that is offered"),
    ],
)
def test_out_of_memory_says_how_much_to_ask_for(asked: int, peak: int | None, said: str) -> None:
    ended = job(state="OUT_OF_MEMORY", memory_mib=asked, peak_memory_mib=peak)
    assert said in str(explain.ended(ended, CHOICES))


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (job(state="CANCELLED", nodes=("gpu1",)), "Your session has ended; its GPU is free."),
        (job(state="CANCELLED", nodes=("gpu1",), gpus={"a100": 2}), "its 2 GPUs are free."),
        (job(state="CANCELLED", nodes=("gpu1",), gpus={}), "what it held is free."),
        (job(state="CANCELLED"), "The start was cancelled; job 7 has left the queue."),
        (job(state="RUNNING", nodes=("gpu1",)), "Slurm has not confirmed its end yet."),
    ],
)
def test_a_stop_says_that_the_gpus_are_free_once_that_is_proven(ended: Job, said: str) -> None:
    found = explain.ending(past(ended=ended, wanted=True), CHOICES)
    assert said in str(found.said)
    assert found.word == ""


@pytest.mark.parametrize(
    ("ended", "said", "word"),
    [
        (job(state="OUT_OF_MEMORY", peak_memory_mib=990), "used 990 MiB at its peak", "OUT_OF_MEMORY"),
        (job(state="TIMEOUT", time_limit=480), "reached its time limit of 8 h 0 min", ""),
        (job(state="NODE_FAIL"), "The node failed", "NODE_FAIL"),
        (job(state="FAILED", exit_code=3), "failed with exit code 3", "FAILED"),
        (job(state="CANCELLED", cancelled_by="root"), "cancelled by an operator (root)", "CANCELLED"),
    ],
)
def test_what_ended_a_session_just_before_its_user_pressed_stop_is_told(
    ended: Job, said: str, word: str
) -> None:
    closed = past(ended=replace(ended, nodes=("gpu1",)), wanted=True)
    assert not closed.as_wished, "the form tells it too"
    found = explain.ending(closed, CHOICES)
    assert said in str(found.said)
    assert found.word == word


@pytest.mark.parametrize(
    "ended",
    [
        job(state="COMPLETED"),
        job(state="CANCELLED"),
        job(state="CANCELLED", cancelled_by="alice"),
        job(state="FORGOTTEN"),
    ],
)
def test_a_stop_that_nothing_contradicts_is_what_its_user_wished(ended: Job) -> None:
    closed = past(ended=replace(ended, nodes=("gpu1",)), wanted=True)
    assert closed.as_wished
    assert str(explain.ending(closed, CHOICES).said) == "Your session has ended; its GPU is free."


def test_a_start_that_the_hub_gave_up_keeps_why() -> None:
    failure = say("session.boot_timeout", job_id=7, seconds=180).to_dict()
    found = explain.ending(past(record=record(failure=failure, phase=STOPPING), wanted=True), CHOICES)
    assert "did not answer within 180 seconds" in str(found.said)
    assert found.word == "start-failed"


@pytest.mark.parametrize("version", ["22.05", "24.11", "26.05"])
def test_every_recorded_answer_of_accounting_says_who_cancelled_and_what_was_used(version: str) -> None:
    answer = json.loads((DATA / f"slurm-{version}" / "sacct.json").read_text())
    jobs = {item.name: item for item in records.parse_sacct(answer)}
    assert {item.name: item.cancelled_by for item in jobs.values() if item.cancelled_by} == {
        "cancelled": "root"
    }
    assert "operator (root)" in str(explain.ended(jobs["cancelled"]))
    assert jobs["memory"].usage_complete
    assert (jobs["memory"].cpu_seconds or 0) > 0.1
    assert not jobs["reserved"].usage_complete  # it runs
    # 22.05 had not looked at the memory in the second that the job lived.
    assert ("at its peak" in str(explain.ended(jobs["memory"]))) is (version != "22.05")


# --- how long it is kept ----------------------------------------------------------------------------------


def test_the_youngest_comes_first_and_is_told_until_the_next_start() -> None:
    history = History(days=30)
    history.put(OWNER, past(1))
    history.put(OWNER, past(2))
    assert [item.record.requested_at for item in history.of(OWNER)] == [NOW + 2, NOW + 1]
    assert history.last(OWNER) == past(2)
    history.start(OWNER, NOW + 3)
    assert history.last(OWNER) is None
    assert len(history.of(OWNER)) == 2
    assert history.of(("bob", "")) == ()


def test_what_is_newly_known_of_a_session_replaces_it() -> None:
    history = History(days=30)
    history.put(OWNER, past(1))
    history.put(OWNER, past(1, wanted=True))
    assert history.of(OWNER) == (past(1, wanted=True),)


def test_old_sessions_and_too_many_are_let_go() -> None:
    history = History(days=2)
    for number in range(MAX_SESSIONS + 5):
        history.put(OWNER, past(number))
    assert len(history.of(OWNER)) == MAX_SESSIONS
    assert history.prune(NOW + DAY_SECONDS) == set()
    assert history.prune(NOW + 3 * DAY_SECONDS) == {OWNER}
    # How the last one ended is still news.
    assert len(history.of(OWNER)) == 1
    history.start(OWNER, NOW + 3 * DAY_SECONDS)
    assert history.of(OWNER) == ()


def test_without_a_history_only_the_news_of_the_last_end_is_kept() -> None:
    history = History(days=0)
    history.put(OWNER, past(1))
    history.put(OWNER, past(2))
    assert history.of(OWNER) == (past(2),)
    history.start(OWNER, NOW + 3)
    assert history.stored(OWNER) == []


def test_what_is_stored_is_json_and_is_read_back() -> None:
    history, again = History(days=30), History(days=30)
    history.put(OWNER, past(1, told=True))
    stored = json.loads(json.dumps(history.stored(OWNER)))
    again.restore(OWNER, [*stored, {"from": "another version"}, {"record": {"x": 1}, "job": None}])
    assert again.of(OWNER) == history.of(OWNER)


# --- what comes late --------------------------------------------------------------------------------------


def accounted(**changes: Any) -> Job:
    return job(state="COMPLETED", nodes=("gpu1",), **changes)


def test_figures_of_accounting_are_filled_in_when_they_come() -> None:
    history = History(days=30)
    history.put(OWNER, past(1))
    assert history.unaccounted == {7}
    assert history.refresh(snapshot(), NOW + 5) == set()
    half = accounted(peak_memory_mib=300)
    assert history.refresh(snapshot(ended={7: half}), NOW + 6) == {OWNER}
    assert history.unaccounted == {7}
    whole = accounted(peak_memory_mib=300, cpu_seconds=12.5, usage_complete=True)
    assert history.refresh(snapshot(ended={7: whole}), NOW + 7) == {OWNER}
    assert history.of(OWNER)[0].job == whole
    assert history.unaccounted == frozenset()


def test_what_accounting_does_not_know_stays_as_the_controller_said_it() -> None:
    history = History(days=30)
    history.put(OWNER, past(1, ended=job(state="FAILED", exit_code=3, reservation="course")))
    history.refresh(snapshot(ended={7: job(state="FAILED", usage_complete=True)}), NOW + 5)
    found = history.of(OWNER)[0].job
    assert found is not None
    assert (found.exit_code, found.reservation) == (3, "course")


def test_another_job_with_the_same_number_tells_nothing() -> None:
    history = History(days=30)
    history.put(OWNER, past(1))
    for forged in (accounted(name="other"), accounted(user="mallory")):
        assert history.refresh(snapshot(ended={7: forged}), NOW + 5) == set()


def test_accounting_that_never_answers_is_given_up() -> None:
    history = History(days=30)
    history.put(OWNER, past(1))
    history.refresh(snapshot(), NOW + 1 + GIVE_UP_SECONDS + 1)
    assert history.unaccounted == frozenset()


def test_without_accounting_there_is_nothing_to_wait_for() -> None:
    history = History(days=30)
    history.put(OWNER, past(1))
    history.refresh(
        snapshot(controller=Controller(accounting=False, associations=False, private_jobs=False)), NOW
    )
    assert history.unaccounted == frozenset()
    assert history.of(OWNER)[0].job is not None


async def test_the_janitor_stores_what_came_late(stage: Stage) -> None:
    history = stage.service.history
    assert stage.spawner.past_sessions == ()
    history.put(OWNER, past(1, ended=accounted(name="berth-x")))
    whole = accounted(name="berth-x", peak_memory_mib=300, usage_complete=True)
    stage.collector.publish(ended=(whole,))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(janitor.sweep_forever(stage.service, stage.database), 0.2)
    (stored,) = stage.spawner.orm_spawner.state["history"]
    assert (stored["job"]["peak_memory_mib"], stored["settled"]) == (300, True)
    assert stage.collector.watch.accounted == frozenset()
    # A new hub knows it all.
    stage.service.history = History(days=30)
    janitor.restore(stage.service, stage.database)
    assert stage.service.history.of(OWNER) == history.of(OWNER)


# --- what the page shows ----------------------------------------------------------------------------------


def shown(item: PastSession) -> dict[str, str]:
    names = [key.removeprefix("pages.column_") for key in COLUMNS[:-1]]
    return dict(zip(names, map(str, cells(item, NOW)), strict=True))


def test_a_row_has_what_was_asked_and_used() -> None:
    used = accounted(
        cpus=2, start_time=int(NOW), end_time=int(NOW) + 3600, cpu_seconds=1800.0, peak_memory_mib=1500
    )
    row = shown(past(ended=used))
    assert {name: row[name] for name in row if name != "requested"} == {
        "lasted": "1 h 0 min",
        "job": "7",
        "node": "gpu1",
        "cores": "2 (25 % used)",
        "memory": "2000 MiB (peak 1500 MiB)",
        "gpus": "1 a100",
        "release": "2026.11",
    }


@pytest.mark.parametrize(
    ("ended", "lasted"),
    [(job(state="CANCELLED"), "did not start"), (job(state="RUNNING", nodes=("gpu1",)), "-")],
)
def test_a_row_says_what_is_known_and_no_more(ended: Job, lasted: str) -> None:
    row = shown(past(ended=ended))
    assert (row["lasted"], row["cores"], row["memory"]) == (lasted, "2", "2000 MiB")
