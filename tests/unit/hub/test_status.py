"""One state for page, stream and home: what a start waits for, in the words of its reader."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from berth.hub.collector.snapshot import Part
from berth.hub.session import status
from berth.hub.session.state import QUEUED, READY, STOPPING, SessionRecord
from berth.hub.texts import text, words
from tests.unit.hub.factories import NOW, RELEASE, job, snapshot

if TYPE_CHECKING:
    from berth.releases.catalogue import Release
    from berth.slurm.answers.records import Job

RECORD = SessionRecord("a" * 32, token_id=1, requested_at=NOW - 125)


def facts(found: status.Status) -> dict[str, str]:
    return {str(fact.label): str(fact.value) for fact in found.facts}


@pytest.mark.parametrize(
    ("record", "listed", "said"),
    [
        (None, None, "on its way to Slurm"),
        (RECORD, None, "on its way to Slurm"),
        (replace(RECORD, unanswered=True), None, "nothing is started twice"),
        (replace(RECORD, job_id=7, phase=QUEUED), None, "the queue has not shown it yet"),
        (RECORD, job(), "Job 7 waits in the queue."),
        (RECORD, job(state="REQUEUED"), "Job 7 waits in the queue."),
        (RECORD, job(state="CONFIGURING", nodes=("gpu1",)), "the node is being prepared"),
        (RECORD, job(state="RUNNING", nodes=("gpu1",)), "Job 7 runs on gpu1; JupyterLab is starting."),
        (RECORD, job(state="RUNNING"), "Job 7 runs; JupyterLab is starting."),
        (RECORD, job(state="SUSPENDED", nodes=("gpu1",)), "is suspended"),
        (RECORD, job(state="COMPLETED"), "Job 7 is ending."),
        (replace(RECORD, phase=READY), None, "Your session is running."),
        (replace(RECORD, phase=STOPPING), job(state="RUNNING"), "is being stopped"),
    ],
)
def test_the_headline_says_where_a_start_is(
    record: SessionRecord | None, listed: Job | None, said: str
) -> None:
    assert said in str(status.of(record, listed, snapshot(), NOW).headline)


def test_a_queued_start_says_why_its_place_when_it_may_start_and_how_long_it_has_waited() -> None:
    waiting = job(priority=5, start_time=int(NOW) + 4000)
    ahead = job(job_id=6, name="other", priority=9, tasks=2)
    found = status.of(RECORD, waiting, snapshot(jobs={6: ahead, 7: waiting}), NOW)
    assert facts(found) == {
        "Why it waits": "No node has what you asked for free right now. "
        "A smaller request may start at once. (Resources)",
        "Place": "third in the queue of this partition",
        "Expected start": f"by {words.moment(NOW + 4000, NOW)}, in 1 h 6 min (Slurm's estimate)",
    }
    assert found.waited == "0:02:05"
    assert found.refresh_seconds > status.REFRESH_SECONDS


def test_an_estimate_that_has_passed_is_not_shown() -> None:
    found = status.of(RECORD, job(start_time=int(NOW) - 1), snapshot(), NOW)
    assert "Expected start" not in facts(found)


def test_a_job_outside_the_turn_has_no_place() -> None:
    held = job(reason="JobHeldUser", priority=0)
    assert "Place" not in facts(status.of(RECORD, held, snapshot(jobs={7: held}), NOW))


def test_the_tenth_has_a_number() -> None:
    queue = {number: job(job_id=number, name=str(number), priority=100 - number) for number in range(1, 11)}
    found = status.of(RECORD, queue[10], snapshot(jobs=queue), NOW)
    assert facts(found)["Place"] == "number 10 in the queue of this partition"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "1 second ago"),
        (59, "59 seconds ago"),
        (90, "1 minute ago"),
        (5400, "1 hour ago"),
        (9000, "2 hours ago"),
    ],
)
def test_when_slurm_is_silent_the_age_of_what_is_shown_is_said_in_its_unit(seconds: int, said: str) -> None:
    silent = snapshot(jobs_part=Part(NOW - seconds, error="no answer"))
    assert status.of(RECORD, job(), silent, NOW).message.endswith(f"; this was the state {said}.")


def test_when_slurm_never_answered_there_is_no_age_to_say() -> None:
    never = snapshot(jobs_part=Part(0.0, error="no answer"))
    assert str(status.of(RECORD, None, never, NOW).warning) == "Slurm does not answer at the moment."


def test_the_stream_has_the_facts_of_the_page_in_one_line_and_apart() -> None:
    waiting = job(priority=5)
    event = status.of(RECORD, waiting, snapshot(jobs={7: waiting}), NOW).event()
    assert event["status"]["headline"] in event["message"]
    assert event["status"]["facts"] == [list(item) for item in facts_of(event)]
    assert event["status"]["waited_seconds"] == 125
    assert "first in the queue" in event["message"]


def facts_of(event: dict[str, object]) -> list[tuple[str, str]]:
    message = str(event["message"])
    return [
        ("Why it waits", message.partition("Why it waits: ")[2].partition(" Place: ")[0]),
        ("Place", message.partition("Place: ")[2]),
    ]


def test_the_same_state_reads_in_the_language_of_the_request() -> None:
    found = status.of(RECORD, job(), snapshot(), NOW)
    token = text.language.set("it")
    try:
        assert found.message.startswith("Il job 7 attende in coda. Motivo dell'attesa: ")
    finally:
        text.language.reset(token)
    assert found.message.startswith("Job 7 waits in the queue. Why it waits: ")


def test_a_running_session_says_what_it_has_and_how_long_it_lives() -> None:
    found = status.running(job(state="RUNNING", nodes=("gpu1",), end_time=int(NOW) + 3660), NOW)
    assert facts(found) == {
        "Job": "7",
        "Node": "gpu1",
        "Cores": "1",
        "Memory": "1000 MiB",
        "GPUs": "1",
        "Time left": "1 h 1 min",
    }


TODAY = words.day(NOW)
YESTERDAY = TODAY - dt.timedelta(days=1)


@pytest.mark.parametrize(
    ("release", "said"),
    [
        (None, "2026.11"),
        (RELEASE, "2026.11"),
        (replace(RELEASE, ends=TODAY), f"2026.11 (new sessions start with it until {TODAY})"),
        (
            replace(RELEASE, ends=YESTERDAY),
            f"2026.11 (since {YESTERDAY} has passed, no new sessions start with it)",
        ),
    ],
)
def test_waiting_and_running_sessions_name_their_release_and_its_end(
    release: Release | None, said: str
) -> None:
    software = [status.software("2026.11", release, NOW)]
    running = status.running(job(state="RUNNING", nodes=("gpu1",)), NOW, software)
    for found in (running, *(status.of(RECORD, item, snapshot(), NOW, software) for item in (None, job()))):
        assert facts(found)["Backend environment"] == said


@pytest.mark.parametrize(
    ("mebibytes", "said"),
    [(500, "500 MiB"), (2048, "2 GiB"), (3000, "3000 MiB"), (20000, "19.5 GiB"), (0, "0 MiB")],
)
def test_sizes_are_exact_where_they_are_small(mebibytes: int, said: str) -> None:
    assert words.size(mebibytes) == said


def test_days_and_minutes_are_said() -> None:
    assert [str(words.elapsed(s)) for s in (59, 3540, 90000)] == ["0 min", "59 min", "1 d 1 h"]


def test_a_moment_of_another_day_has_its_date() -> None:
    assert len(words.moment(NOW + 10 * 86400, NOW)) == len("2027-01-25 08:00")
