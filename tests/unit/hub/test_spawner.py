"""A session is never lost, never doubled, and ends only on evidence."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator
from contextvars import ContextVar
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from jupyterhub.apihandlers import default_handlers
from jupyterhub.objects import Server
from jupyterhub.spawner import SpawnException
from traitlets import TraitError
from traitlets.config import Config

from berth.helper.client import SubmitResult, Verdict
from berth.hub.form.formspawner import BadOptions
from berth.hub.session.history import History, PastSession
from berth.hub.session.launch import StartFailed
from berth.hub.session.spawner import BerthSpawner
from berth.hub.session.state import STOPPING, SessionRecord
from berth.hub.settings import Links
from berth.hub.texts import text
from berth.slurm.answers.records import Controller
from tests.unit.hub.factories import FORM, NOW, job
from tests.unit.hub.website import Website

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.hub.conftest import Stage


async def until(condition: Callable[[], object], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def stored(stage: Stage) -> dict[str, Any]:
    fresh = stage.database.session_factory()
    try:
        state: dict[str, Any] = fresh.get(type(stage.spawner.orm_spawner), stage.spawner.orm_spawner.id).state
        return state
    finally:
        fresh.close()


async def started(stage: Stage) -> tuple[BerthSpawner, asyncio.Task[Any]]:
    spawner = stage.begin()
    task = asyncio.create_task(spawner.start())
    await until(lambda: spawner.record is not None and spawner.record.job_id)
    return spawner, task


async def test_the_nonce_is_committed_before_the_submission(stage: Stage) -> None:
    spawner, task = await started(stage)
    assert spawner.record is not None
    assert stage.helper.stored_at_submission[0]["session"]["nonce"] == spawner.record.nonce
    assert stage.helper.stored_at_submission[0]["session"]["job_id"] is None
    assert stage.helper.submitted[0]["name"] == f"berth-{spawner.record.nonce}"
    assert stored(stage)["session"]["job_id"] == 7
    task.cancel()


async def test_a_session_that_reports_is_served_at_the_address_that_slurm_has(stage: Stage) -> None:
    spawner, task = await started(stage)
    spawner.session_reported(40001)
    stage.collector.publish(job(state="RUNNING", nodes=("gpu2",)))
    assert await task == ("198.18.0.12", 40001)
    assert stored(stage)["session"]["phase"] == "ready"
    assert await spawner.poll() is None


async def test_only_jupyterhub_and_berth_variables_reach_the_job(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONFIGPROXY_AUTH_TOKEN", "secret")
    spawner, task = await started(stage)
    environment = stage.helper.submitted[0]["env"]
    assert all(name.startswith(("JUPYTERHUB_", "BERTH_")) for name in environment)
    assert environment["JUPYTERHUB_API_TOKEN"] == spawner.api_token
    assert environment["BERTH_REPORT_URL"] == "https://hub.example.org:8444/hub/api/berth/session"
    assert spawner.api_token not in str(stored(stage))
    task.cancel()


async def test_a_refused_submission_says_why_and_leaves_nothing(stage: Stage) -> None:
    stage.helper.answer = SubmitResult(Verdict.REFUSED, message="Invalid account", error="refused")
    with pytest.raises(SpawnException, match="Slurm refused the request: Invalid account"):
        await stage.begin().start()
    assert stage.service.followed == {}
    assert "session" not in stored(stage)


async def test_a_refusal_for_a_limit_is_said_in_plain_words(stage: Stage) -> None:
    stage.helper.answer = SubmitResult(
        Verdict.REFUSED,
        message="QOSMaxGRESPerUser; Batch job submission failed: Job violates accounting/QOS policy",
    )
    with pytest.raises(SpawnException, match="asks for more GPUs than you may have at a time"):
        await stage.begin().start()


async def test_without_accounting_a_session_is_submitted_without_an_account(stage: Stage) -> None:
    stage.collector.snapshot = replace(
        stage.collector.snapshot,
        associations=(),
        controller=Controller(accounting=False, associations=False, private_jobs=False),
    )
    _, task = await started(stage)
    assert stage.helper.submitted[0]["resources"].account is None
    task.cancel()


async def test_a_lost_answer_is_settled_by_name_and_owner(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("berth.hub.session.launch.time.time", lambda: NOW)
    stage.helper.answer = SubmitResult(Verdict.UNKNOWN, message="time-out")
    spawner = stage.begin()
    task = asyncio.create_task(spawner.start())
    await until(lambda: stage.helper.submitted)
    name = stage.helper.submitted[0]["name"]
    await until(lambda: name in stage.collector.watch.names)
    stage.collector.publish(job(job_id=8, name=name, user="mallory"))
    await asyncio.sleep(0.05)
    assert spawner.record is not None
    assert spawner.record.job_id is None
    stage.collector.publish(job(job_id=9, name=name))
    await until(lambda: stage.collector.watch.job_ids == {9})
    assert len(stage.helper.submitted) == 1
    task.cancel()


async def test_a_submission_that_no_later_listing_shows_did_not_happen(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("berth.hub.session.launch.time.time", lambda: NOW)
    answered_by = NOW + stage.service.hub.helper_timeout_seconds
    stage.helper.answer = SubmitResult(Verdict.UNKNOWN, message="time-out")
    spawner = stage.begin()
    task = asyncio.create_task(spawner.start())
    await until(lambda: stage.collector.woken > 0)
    stage.collector.publish(asked_at=answered_by + 29)
    await asyncio.sleep(0.05)
    assert not task.done()
    stage.collector.publish(asked_at=answered_by + 31, accounting=False)
    await asyncio.sleep(0.05)
    assert not task.done(), "a job that has already left the queue is known to accounting only"
    stage.collector.publish(asked_at=answered_by + 31)
    with pytest.raises(SpawnException, match="nothing was started"):
        await task
    # Nobody waits for it, but if it comes after all, it is found and cancelled.
    spawner.clear_state()
    assert [item.abandoned for item in stage.service.followed.values()] == [True]


async def test_an_empty_listing_ends_no_session(stage: Stage) -> None:
    spawner, task = await started(stage)
    spawner.session_reported(40001)
    stage.collector.publish(job(state="RUNNING", nodes=("gpu1",)))
    await task
    stage.collector.publish(asked_at=NOW + 1000)
    assert await spawner.poll() is None


async def test_the_end_of_another_job_with_the_same_number_ends_no_session(stage: Stage) -> None:
    spawner, task = await started(stage)
    spawner.session_reported(40001)
    stage.collector.publish(job(state="RUNNING", nodes=("gpu1",)))
    await task
    stage.collector.publish(job(state="COMPLETED", name="berth-forged"))
    assert await spawner.poll() is None
    stage.collector.publish(job(state="COMPLETED", user="mallory"))
    assert await spawner.poll() is None


async def test_a_terminal_state_ends_the_session_and_says_why(stage: Stage) -> None:
    spawner, task = await started(stage)
    spawner.session_reported(40001)
    stage.collector.publish(job(state="RUNNING", nodes=("gpu1",)))
    await task
    stage.collector.publish(ended=(job(state="OUT_OF_MEMORY", exit_code=0),))
    assert await spawner.poll() == 0
    spawner.clear_state()
    assert "ran out of memory" in str(spawner.last_end)


async def test_a_job_that_ends_while_it_waits_fails_the_start_with_the_reason(stage: Stage) -> None:
    _, task = await started(stage)
    stage.collector.publish(job(state="CANCELLED", exit_code=0))
    with pytest.raises(SpawnException, match="The session was cancelled"):
        await task


async def test_cancelling_a_start_during_the_submission_still_cancels_the_job(stage: Stage) -> None:
    stage.helper.gate = asyncio.Event()
    spawner = stage.begin()
    task = asyncio.create_task(spawner.start())
    await until(lambda: stage.helper.submitted)
    task.cancel()
    await asyncio.sleep(0.02)
    stopping = asyncio.create_task(spawner.stop())
    await asyncio.sleep(0.02)
    assert stage.helper.cancelled == []
    stage.helper.gate.set()
    await until(lambda: stage.helper.cancelled == [("alice", 7)])
    stage.collector.publish(job(state="CANCELLED", exit_code=0))
    await stopping
    spawner.clear_state()
    assert stage.service.followed == {}


async def test_a_cancellation_without_a_clear_answer_is_repeated_at_once(stage: Stage) -> None:
    _, task = await started(stage)
    task.cancel()
    stage.helper.cancel_answers = [Verdict.UNKNOWN, Verdict.UNAVAILABLE]
    stopping = asyncio.create_task(stage.spawner.stop())
    await until(lambda: len(stage.helper.cancelled) == 3)
    await asyncio.sleep(0.05)
    assert len(stage.helper.cancelled) == 3, "a clear answer is enough"
    stage.collector.publish(job(state="CANCELLED", exit_code=0))
    await stopping


async def test_a_job_whose_end_is_not_proven_is_remembered(stage: Stage) -> None:
    spawner, task = await started(stage)
    task.cancel()
    await spawner.stop(now=True)
    spawner.clear_state()
    state = spawner.get_state()
    assert [item["job_id"] for item in state["abandoned"]] == [7]
    assert stage.collector.watch.job_ids == {7}


async def test_a_restarted_hub_resumes_a_waiting_start(stage: Stage) -> None:
    _, task = await started(stage)
    task.cancel()
    again = stage.restarted()
    assert again.record is not None
    assert (again.record.phase, again.record.job_id) == ("queued", 7)
    assert stage.collector.watch.job_ids == {7}
    resumed = asyncio.create_task(again.finish_start())
    again.session_reported(40002)
    stage.collector.publish(job(state="RUNNING", nodes=("gpu1",)))
    assert await resumed == ("198.18.0.11", 40002)
    assert len(stage.helper.submitted) == 1


async def test_a_hub_killed_during_the_submission_finds_the_job_by_its_nonce(stage: Stage) -> None:
    stage.helper.gate = asyncio.Event()
    spawner = stage.begin()
    task = asyncio.create_task(spawner.start())
    await until(lambda: stage.helper.submitted)
    task.cancel()
    again = stage.restarted()
    assert again.record is not None
    assert (again.record.phase, again.record.job_id) == ("submitting", None)
    stage.collector.publish(job(job_id=11, name=stage.helper.submitted[0]["name"]))
    resumed = asyncio.create_task(again.finish_start())
    await until(lambda: stage.collector.watch.job_ids == {11})
    resumed.cancel()


async def test_the_token_is_revoked_by_its_row_after_a_restart(stage: Stage) -> None:
    spawner, task = await started(stage)
    task.cancel()
    token = spawner.api_token
    again = stage.restarted()
    assert not again.api_token
    again.run_post_stop_hook()
    assert stage.user.orm_user.api_tokens == []
    assert token


async def test_options_from_the_api_are_checked_again_at_use(stage: Stage) -> None:
    spawner = stage.begin()
    spawner.user_options = {"cores": "4096", "wrap": "id"}
    with pytest.raises(BadOptions) as caught:
        await spawner.start()
    assert caught.value.status_code == 400
    assert stage.helper.submitted == []


async def test_a_wrong_form_keeps_what_was_typed(stage: Stage) -> None:
    spawner = stage.spawner
    with pytest.raises(BadOptions):
        await spawner.run_options_from_form({"cores": ["3"], "memory": ["500M"], "_xsrf": ["x"]})
    page = await spawner.get_options_form()
    assert 'value="500M" selected' in page
    assert "“3” is not one of the choices." in page


async def test_a_link_fills_the_form_and_starts_nothing(stage: Stage) -> None:
    spawner = stage.spawner
    with pytest.raises(ValueError, match="press Start"):
        spawner.options_from_query({"cores": ["4"]})
    page = await spawner.get_options_form()
    assert '<option value="4" selected' in page
    assert stage.helper.submitted == []


async def test_the_form_has_all_fields_and_escapes_names_of_slurm(stage: Stage) -> None:
    page = await stage.spawner.get_options_form()
    for label in ("Slurm reservation", "Slurm account", "Number of cores", "Memory", "GPU configuration"):
        assert f">{label}</label>" in page
    for label in ("Time", "Backend environment", "User interface"):
        assert f">{label}</label>" in page
    assert "Available resources" in page


async def test_progress_says_what_the_start_waits_for(stage: Stage) -> None:
    spawner, task = await started(stage)
    stage.collector.publish(job(reason="Resources"))
    progress = spawner.progress()
    assert isinstance(progress, AsyncGenerator)
    waiting = (await anext(progress))["message"]
    assert "No node has what you asked for free" in waiting
    assert waiting.endswith("Backend environment: 2026.11")
    stage.collector.publish(job(state="RUNNING", nodes=("gpu1",)))
    assert "runs on gpu1" in (await anext(progress))["message"]
    await progress.aclose()
    task.cancel()


async def test_progress_says_where_to_get_help_with_the_job_as_it_is_now(stage: Stage) -> None:
    help_ = "https://help.example.org/?job={job_id}&why={reason}"
    stage.service.form = FORM.model_copy(update={"links": Links(help=help_)})
    spawner, task = await started(stage)
    progress = spawner.progress()
    assert isinstance(progress, AsyncGenerator)
    assert (await anext(progress))["status"]["help"] == "https://help.example.org/?job=7&why="
    stage.collector.publish(job(reason="Priority"))
    assert (await anext(progress))["status"]["help"] == "https://help.example.org/?job=7&why=Priority"
    await progress.aclose()
    task.cancel()


async def test_the_foot_of_a_page_has_the_link_for_help_where_scripts_find_it(stage: Stage) -> None:
    stage.service.form = FORM.model_copy(
        update={"links": Links(help="https://help.example.org/?job={job_id}")}
    )
    stage.spawner.job_id = "7"
    page = await Website(stage).page("/hub/berth/history")
    assert [link["href"] for link in page.select("footer #berth-help")] == ["https://help.example.org/?job=7"]


async def ended_session(stage: Stage, *, wanted: bool, **how: Any) -> BerthSpawner:
    """Let a session run and end, as JupyterHub does it."""
    spawner, task = await started(stage)
    spawner.session_reported(40001)
    stage.collector.publish(job(state="RUNNING", nodes=("gpu1",)))
    await task
    if wanted:
        stopping = asyncio.create_task(spawner.stop())
        await until(lambda: stage.helper.cancelled)
        stage.collector.publish(job(nodes=("gpu1",), **how))
        await stopping
    else:
        stage.collector.publish(job(nodes=("gpu1",), **how))
    assert await spawner.poll() is not None
    spawner.server = None
    spawner.clear_state()
    spawner.orm_spawner.state = spawner.get_state()
    stage.database.commit()
    return spawner


async def test_home_asks_again_until_the_end_of_a_session_is_known(stage: Stage) -> None:
    site, owner = Website(stage), stage.spawner.owner

    async def asks_again() -> tuple[str, list[str]]:
        page = await site.page("/hub/home")
        without_scripts = [str(item["content"]) for item in page.select("noscript meta[http-equiv=refresh]")]
        (live,) = page.select("#berth-live")
        return str(live["data-refresh-seconds"]), without_scripts

    assert await asks_again() == ("0", [])
    record = SessionRecord("0" * 32, 1, NOW, job_id=8, phase=STOPPING)
    past = PastSession(record, job(job_id=8, state="RUNNING"), NOW, wanted=True)
    stage.service.history.put(owner, past)
    ending = stage.spawner.ending
    assert ending is not None
    assert "has not confirmed its end yet" in str(ending.said)
    assert await asks_again() == ("10", ["10"])
    proven = replace(past, job=job(job_id=8, state="CANCELLED"), settled=True)
    stage.service.history.put(owner, proven)
    assert await asks_again() == ("0", [])


async def test_how_a_session_ended_is_read_after_a_restart_and_until_the_next_start(stage: Stage) -> None:
    await ended_session(stage, wanted=False, state="TIMEOUT", time_limit=60, exit_code=0)
    stage.service.history = History(days=30)
    again = stage.restarted()
    assert "reached its time limit of 1 h 0 min" in str(again.last_end)
    assert "reached its time limit" in await again.get_options_form()
    (past,) = again.past_sessions
    assert past.record.asked["memory_mib"] == 1000
    assert past.record.asked["release"] == "2026.11"
    # What accounting has to add is asked for.
    assert stage.collector.watch.job_ids == frozenset()
    assert stage.service.history.unaccounted == {7}
    _, task = await started(stage)
    assert again.last_end is None
    assert len(again.past_sessions) == 1
    task.cancel()


async def test_a_stop_says_that_the_gpu_is_free_and_is_no_news_for_the_form(stage: Stage) -> None:
    spawner = await ended_session(stage, wanted=True, state="CANCELLED", exit_code=0)
    assert spawner.ending is not None
    assert str(spawner.ending.said) == "Your session has ended; its GPU is free."
    assert spawner.last_end is None
    assert spawner.status is None
    assert stage.collector.watch.accounted == {7}


async def test_a_stop_that_comes_after_the_session_was_killed_for_memory_tells_that(stage: Stage) -> None:
    spawner = await ended_session(stage, wanted=True, state="OUT_OF_MEMORY", exit_code=0)
    assert stage.helper.cancelled, "its user pressed Stop before any snapshot showed the end"
    assert "ran out of memory" in str(spawner.last_end)
    assert spawner.ending is not None
    assert spawner.ending.word == "OUT_OF_MEMORY"


async def test_a_stop_that_is_not_proven_says_so_until_the_janitor_has_proven_it(stage: Stage) -> None:
    spawner, task = await started(stage)
    task.cancel()
    await spawner.stop(now=True)
    spawner.clear_state()
    assert spawner.ending is not None
    assert "not confirmed its end" in str(spawner.ending.said)
    (followed,) = stage.service.followed.values()
    done = replace(job(state="CANCELLED", nodes=("gpu1",)), name=followed.record.job_name)
    stage.service.history.prove(spawner.owner, followed.record, done, NOW)
    assert str(spawner.ending.said) == "Your session has ended; its GPU is free."


async def test_a_start_that_did_not_answer_in_time_says_so_afterwards(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawner, task = await started(stage)
    passed = itertools.count(step=1000)
    slow = SimpleNamespace(monotonic=lambda: next(passed), time=time.time)
    monkeypatch.setattr("berth.hub.session.launch.time", slow)  # the loop's own clock goes on as it does
    stage.collector.publish(job(state="RUNNING", nodes=("gpu1",)))
    with pytest.raises(StartFailed) as caught:
        await task
    assert (caught.value.job_id, caught.value.reason) == (7, "boot-timeout")
    assert "did not answer within 180 seconds" in caught.value.jupyterhub_message
    stage.collector.publish(job(state="CANCELLED", nodes=("gpu1",)))
    spawner.clear_state()
    assert spawner.ending is not None
    assert "did not answer within 180 seconds" in str(spawner.ending.said)
    assert spawner.ending.word == "start-failed"


async def nobody_answers(server: Server, **how: Any) -> None:
    raise TimeoutError(f"{server.url}{how['extra_path']} in {how['timeout']} s")


async def test_a_session_that_reports_but_cannot_be_reached_says_where_and_what_to_do(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Server, "wait_up", nobody_answers)
    spawner, task = await started(stage)
    spawner.session_reported(40001)
    stage.collector.publish(job(state="RUNNING", nodes=("gpu2",)))
    with pytest.raises(StartFailed) as caught:
        await task
    said = "The session of job 7 serves on gpu2, port 40001, but this service cannot reach it there; it was"
    assert caught.value.jupyterhub_message.startswith(said)
    low, high = stage.service.hub.session.port_range
    assert f"the ports {low} to {high} of the nodes" in str(caught.value)
    assert (caught.value.job_id, caught.value.reason) == (7, "unreachable")
    assert stored(stage)["session"]["phase"] == "queued", "a restarted hub tries again"
    # JupyterHub cleans up; what is told later is the same, whatever Slurm says of the job.
    stopping = asyncio.create_task(stage.user.stop())
    await until(lambda: stage.helper.cancelled)
    stage.collector.publish(job(state="CANCELLED", nodes=("gpu2",), cancelled_by="alice"))
    await stopping
    again = stage.restarted()
    assert str(again.last_end).startswith(said)
    assert again.ending is not None
    assert (again.ending.word, again.ending.job_id) == ("start-failed", 7)


async def test_a_session_that_ends_before_it_can_be_reached_tells_its_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(server: Server, **how: Any) -> None:
        stage.collector.publish(ended=(job(state="OUT_OF_MEMORY", nodes=("gpu1",)),))
        await nobody_answers(server, **how)

    monkeypatch.setattr(Server, "wait_up", dies)
    spawner, task = await started(stage)
    spawner.session_reported(40001)
    stage.collector.publish(job(state="RUNNING", nodes=("gpu1",)))
    with pytest.raises(StartFailed, match="ran out of memory"):
        await task


async def test_a_request_that_waits_longer_than_the_site_wants_is_withdrawn(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, task = await started(stage)
    limit = stage.service.hub.session.queue_timeout_seconds
    asked_at = stage.spawner.record.requested_at if stage.spawner.record else 0.0
    clock = SimpleNamespace(monotonic=time.monotonic, time=lambda: asked_at + limit - 1)
    monkeypatch.setattr("berth.hub.session.launch.time", clock)
    stage.collector.publish(job())
    await asyncio.sleep(0.05)
    assert not task.done()
    clock.time = lambda: asked_at + limit + 1
    with pytest.raises(StartFailed, match="waited in the queue for 7 d 0 h"):
        await task


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("home-full", "Your home directory is full or over its quota"),
        ("home-unreachable", "Your home directory does not answer"),
    ],
)
async def test_a_home_without_room_refuses_the_start(stage: Stage, error: str, said: str) -> None:
    stage.helper.answer = SubmitResult(Verdict.UNAVAILABLE, message="/home/alice: full", error=error)
    with pytest.raises(StartFailed) as caught:
        await stage.begin().start()
    assert said in caught.value.jupyterhub_message
    assert caught.value.reason == error
    assert stage.service.followed == {}
    assert stage.spawner.past_sessions == ()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            SubmitResult(
                Verdict.UNAVAILABLE, message="Unable to contact slurm controller", error="slurm-away"
            ),
            "Al momento Slurm non è raggiungibile, quindi non è stato avviato nulla.",
        ),
        (
            SubmitResult(Verdict.UNAVAILABLE, message="There is no such user.", error="not-permitted"),
            "Al momento questo account non può usare il servizio.",
        ),
        *(
            (
                SubmitResult(Verdict.UNAVAILABLE, message="sbatch cannot be run.", error=error),
                "Non è stato avviato nulla: al momento il servizio non può inviare sessioni.",
            )
            for error in ("not-run", "bad-request", "an error of a later helper")
        ),
        (
            SubmitResult(Verdict.UNAVAILABLE, message="The helper cannot be reached: [Errno 2] x."),
            "Non è stato avviato nulla: al momento il servizio non può inviare sessioni.",
        ),
    ],
)
async def test_who_cannot_be_asked_is_told_without_its_own_words(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, answer: SubmitResult, said: str
) -> None:
    stage.helper.answer = answer
    with pytest.raises(StartFailed) as caught:
        await stage.begin().start()
    monkeypatch.setattr(text, "language", ContextVar("test", default="it"))
    assert caught.value.jupyterhub_message.startswith(said)
    assert answer.message not in caught.value.jupyterhub_message
    assert stage.service.followed == {}


async def test_a_failed_start_reads_in_the_language_of_its_reader_and_is_logged_in_english(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.helper.answer = SubmitResult(Verdict.UNAVAILABLE, message="no", error="home-full")
    with pytest.raises(StartFailed) as caught:
        await stage.begin().start()
    monkeypatch.setattr(text, "language", ContextVar("test", default="it"))
    assert caught.value.jupyterhub_message.startswith("La directory home è piena")
    assert "Your home directory is full" in str(caught.value)


@pytest.mark.parametrize("name", ["batch_script", "exec_prefix", "req_memory", "batch_submit_cmd"])
def test_settings_that_no_longer_do_anything_refuse_to_be_set(name: str) -> None:
    config = Config({"SlurmSpawner": {name: "x"}})
    with pytest.raises(TraitError, match="has no effect"):
        BerthSpawner(config=config)


def test_the_api_entry_of_batchspawner_is_gone() -> None:
    assert r"/api/batchspawner" not in [entry[0] for entry in default_handlers]


async def test_why_an_unused_session_ends_outlives_a_restart_of_the_hub(stage: Stage) -> None:
    spawner = stage.begin()
    spawner.record = SessionRecord("0" * 32, 1, NOW, phase="ready", job_id=7)
    spawner.session_unused(30)
    record = stage.restarted().record
    assert record is not None
    assert record.idle_minutes == 30
