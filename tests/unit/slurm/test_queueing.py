"""The place in the queue: by priority, then by time; each task of an array has one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from berth.slurm.answers import records
from berth.slurm.free import queueing
from tests.unit.hub.factories import job

DATA = Path(__file__).parents[1] / "data"


def test_priority_comes_before_time_and_time_before_the_number() -> None:
    places = queueing.places(
        [
            job(job_id=1, priority=10, submit_time=100),
            job(job_id=2, priority=10, submit_time=90),
            job(job_id=3, priority=20, submit_time=200),
            job(job_id=4, priority=10, submit_time=100),
        ],
    )
    assert places == {3: 1, 2: 2, 1: 3, 4: 4}


def test_every_task_of_an_array_has_a_place() -> None:
    places = queueing.places([job(job_id=1, priority=2, tasks=30), job(job_id=2, priority=1)])
    assert places == {1: 1, 2: 31}


@pytest.mark.parametrize(
    "elsewhere",
    [
        job(job_id=1, priority=0, reason="JobHeldUser"),
        job(job_id=1, priority=9, reason="Dependency"),
        job(job_id=1, priority=9, reason="BeginTime"),
        job(job_id=1, priority=9, state="RUNNING"),
        job(job_id=1, priority=9, state="COMPLETED"),
    ],
)
def test_what_does_not_wait_for_its_turn_is_ahead_of_nobody(elsewhere: records.Job) -> None:
    assert queueing.places([elsewhere, job(job_id=2, priority=1)]) == {2: 1}


@pytest.mark.parametrize("version", ["22.05", "24.11", "26.05"])
def test_the_recorded_queue_has_the_order_in_which_slurm_listed_it(version: str) -> None:
    answer = json.loads((DATA / f"slurm-{version}" / "squeue.json").read_text())
    jobs = {item.name: item for item in records.parse_jobs(answer)}
    places = queueing.places(jobs.values())
    named = {item.name: places[item.job_id] for item in jobs.values() if item.job_id in places}
    assert named == {"wants_gpus": 1, "wants_memory": 2, "list": 3}
    assert jobs["list"].tasks == 4


@pytest.mark.parametrize(
    ("text", "tasks"),
    [("", 1), ("3", 1), ("1-4", 4), ("1,3,5-9:2", 5), ("0-99%5", 100), ("1-4,7,...", 1), ("x", 1)],
)
def test_tasks_are_counted_where_slurm_spells_them_out(text: str, tasks: int) -> None:
    record = {"job_id": 5, "job_state": ["PENDING"], "array_task_string": text}
    (found,) = records.parse_jobs({"jobs": [record]})
    assert found.tasks == tasks
