"""What Prometheus reads: few labels with few values, each event counted once, and nothing about anybody."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jupyterhub import metrics as stock
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from traitlets.config import Config

from berth.helper.client import SubmitResult, Verdict
from berth.hub.collector.client import CollectorClient
from berth.hub.collector.snapshot import Part, Update
from berth.hub.form.formspawner import BadOptions
from berth.hub.metrics import figures, state, token
from berth.hub.session import janitor, story
from berth.hub.session.launch import StartFailed
from berth.hub.session.state import SessionRecord
from berth.hub.settings import SettingsError
from berth.slurm.free import totals
from tests.unit.hub.factories import HUB, job, node, snapshot
from tests.unit.hub.test_spawner import started

if TYPE_CHECKING:
    from tests.unit.hub.conftest import Stage

FILES = Path(__file__).resolve().parents[3] / "roles/hub/files/prometheus"
TOKEN = "0123456789abcdef" * 4


def value(name: str, **labels: str) -> float:
    """A figure as Prometheus would read it now."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


def now(stage: Stage) -> dict[tuple[str, ...], float]:
    """The figures of what is now, by name and the values of their labels."""
    registry = CollectorRegistry()
    state.expose(stage.service, registry)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in registry.collect()
        for sample in family.samples
    }


async def served(stage: Stage) -> None:
    spawner, task = await started(stage)
    stage.collector.publish(job(state="RUNNING", nodes=("gpu2",), start_time=int(time.time())))
    spawner.session_reported(40001)
    await task


# --- a start and its phases --------------------------------------------------------------------------


async def test_the_phases_of_a_start_are_observed_once_and_add_up(stage: Stage) -> None:
    counts = {phase: value("berth_start_phase_seconds_count", phase=phase) for phase in figures.PHASES}
    sums = sum(value("berth_start_phase_seconds_sum", phase=phase) for phase in figures.PHASES)
    began = time.time()
    await served(stage)
    lasted = time.time() - began
    for phase in figures.PHASES:
        assert value("berth_start_phase_seconds_count", phase=phase) == counts[phase] + 1
    told = sum(value("berth_start_phase_seconds_sum", phase=phase) for phase in figures.PHASES) - sums
    assert 0 < told <= lasted


def record(**changes: Any) -> SessionRecord:
    known = {"submitted_at": 101.0, "reported_at": 163.0, "port": 40000, "job_id": 7}
    return SessionRecord("0" * 32, 1, 100.0, **{**known, **changes})


@pytest.mark.parametrize(
    ("start_time", "changes", "expected"),
    [
        (161, {}, [1.0, 60.0, 2.0, 0.5]),
        (100, {}, [1.0, 0.0, 62.0, 0.5]),  # Slurm's clock has whole seconds, and it may be late
        (200, {}, [1.0, 62.0, 0.0, 0.5]),
        (None, {}, []),
        (161, {"restarts": 1}, []),
        (161, {"submitted_at": None}, []),  # of an earlier version, or found after a restart
    ],
)
def test_a_phase_is_never_negative_and_never_guessed(
    start_time: int | None, changes: dict[str, Any], expected: list[float]
) -> None:
    found = story.phases(record(**changes), job(state="RUNNING", start_time=start_time), 163.5)
    assert list(found.values()) == expected
    assert list(found) == list(figures.PHASES)[: len(expected)]


async def test_a_hub_that_was_restarted_still_knows_when_a_start_began(stage: Stage) -> None:
    spawner, task = await started(stage)
    assert spawner.record is not None
    submitted_at = spawner.record.submitted_at
    task.cancel()
    again = stage.restarted()
    assert again.record is not None
    assert again.record.submitted_at == submitted_at is not None


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (SubmitResult(Verdict.REFUSED, message="Invalid account", error="refused"), "refused"),
        (SubmitResult(Verdict.UNAVAILABLE, message="full", error="home-full"), "home-full"),
        (SubmitResult(Verdict.UNAVAILABLE, message="no socket"), "unavailable"),
    ],
)
async def test_a_submission_that_failed_is_counted_by_its_reason(
    stage: Stage, answer: SubmitResult, reason: str
) -> None:
    before = value("berth_submissions_failed_total", reason=reason)
    stage.helper.answer = answer
    with pytest.raises(StartFailed):
        await stage.begin().start()
    assert value("berth_submissions_failed_total", reason=reason) == before + 1


async def test_a_refused_request_is_counted_by_field_and_what_was_sent_is_no_label(stage: Stage) -> None:
    before = [value("berth_requests_refused_total", field=name) for name in ("cores", figures.OTHER)]
    with pytest.raises(BadOptions):
        await stage.spawner.checked({"cores": "999", "hunter2": "x", "hunter3": "y"})
    after = [value("berth_requests_refused_total", field=name) for name in ("cores", figures.OTHER)]
    assert after == [count + 1 for count in before]
    assert b"hunter2" not in generate_latest(REGISTRY)


# --- ends --------------------------------------------------------------------------------------------


async def test_an_end_is_counted_once_by_its_cause(stage: Stage) -> None:
    await served(stage)
    before = value("berth_sessions_ended_total", cause="out_of_memory")
    stage.collector.publish(ended=(job(state="OUT_OF_MEMORY", nodes=("gpu2",)),))
    stage.spawner.clear_state()
    assert value("berth_sessions_ended_total", cause="out_of_memory") == before + 1
    stage.service.history.refresh(stage.collector.snapshot, time.time())
    assert value("berth_sessions_ended_total", cause="out_of_memory") == before + 1


async def test_an_end_that_is_proved_later_is_counted_then(stage: Stage) -> None:
    await served(stage)
    before = value("berth_sessions_ended_total", cause="stopped")
    await stage.spawner.stop(now=True)
    stage.spawner.clear_state()
    assert value("berth_sessions_ended_total", cause="stopped") == before
    assert now(stage)["berth_sessions", "stopping", "2026.11", "lab"] == 1
    stage.collector.publish(ended=(job(state="CANCELLED", nodes=("gpu2",), start_time=1),))
    await janitor._sweep_all(stage.service, stage.database, {})
    assert value("berth_sessions_ended_total", cause="stopped") == before + 1
    await janitor._sweep_all(stage.service, stage.database, {})
    assert value("berth_sessions_ended_total", cause="stopped") == before + 1


# --- what is now -------------------------------------------------------------------------------------


async def test_sessions_are_shown_by_state_release_and_interface(stage: Stage) -> None:
    await stage.service.installed()
    states = dict.fromkeys(state.STATES, 0.0)

    def seen() -> dict[str, float]:
        found = now(stage)
        return {name: found["berth_sessions", name, "2026.11", "lab"] for name in state.STATES}

    assert seen() == states
    spawner, task = await started(stage)
    assert seen() == {**states, "pending": 1}
    stage.collector.publish(job(state="RUNNING", nodes=("gpu2",)))
    assert seen() == {**states, "booting": 1}
    spawner.session_reported(40001)
    await task
    assert seen() == {**states, "running": 1}
    await spawner.stop(now=True)
    assert seen() == {**states, "stopping": 1}


async def test_no_figure_names_a_user_a_job_or_a_session(stage: Stage) -> None:
    await served(stage)
    assert stage.spawner.record is not None
    registry = CollectorRegistry()
    state.expose(stage.service, registry)
    told = (generate_latest(REGISTRY) + generate_latest(registry)).decode()
    labels = {word for line in told.splitlines() for word in re.findall(r'="([^"]*)"', line)}
    assert not labels & {"alice", stage.spawner.record.nonce, stage.spawner.record.job_name}
    assert "alice" not in told


async def test_ages_are_those_of_the_answers_and_infinite_before_the_first(stage: Stage) -> None:
    stage.collector.snapshot = snapshot(jobs_part=Part(time.time() - 40), ends_part=Part())
    found = now(stage)
    assert 40 <= found["berth_slurm_snapshot_age_seconds", "jobs"] < 45
    assert found["berth_slurm_snapshot_age_seconds", "ends"] == inf


def test_gpus_are_allocated_idle_or_out_of_service() -> None:
    nodes = [
        node(gpus={"a100": 2, "": 1}, gpus_used={"a100": 1}),
        node(name="gpu2", gpus={"a100": 4}, gpus_used={"a100": 1}, states=frozenset({"MIXED", "DRAIN"})),
        node(name="gpu3", gpus={"a100": 2}, gpus_used={}, gpus_shared={"a100": 1}),
    ]
    assert totals.gpus(nodes) == {"a100": totals.GpuTotal(3, 2, 3), "": totals.GpuTotal(0, 1, 0)}


async def test_gpus_come_from_the_snapshot(stage: Stage) -> None:
    stage.collector.snapshot = replace(
        stage.collector.snapshot, gpu_totals=totals.gpus([node(gpus={"": 3}, gpus_used={"": 1})])
    )
    found = {key[2]: count for key, count in now(stage).items() if key[:2] == ("berth_gpus", state.NO_TYPE)}
    assert found == {"allocated": 1, "idle": 2, "unavailable": 0}


# --- questions to Slurm ------------------------------------------------------------------------------


def test_answers_are_timed_by_kind_and_failures_counted() -> None:
    client = CollectorClient(HUB.slurm)
    counts = (
        value("berth_slurm_query_seconds_count", kind="nodes"),
        value("berth_slurm_query_failures_total", kind="nodes"),
    )
    client._publish(Update("nodes_part", 1.0, seconds=0.3))
    client._publish(Update("nodes_part", 2.0, seconds=0.00005))
    client._publish(Update("nodes_part", error="no answer", seconds=30.0))
    assert value("berth_slurm_query_seconds_count", kind="nodes") == counts[0] + 1
    assert value("berth_slurm_query_failures_total", kind="nodes") == counts[1] + 1


# --- the token ---------------------------------------------------------------------------------------


def test_the_token_is_taken_from_the_environment_which_children_inherit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(token.VARIABLE, TOKEN)
    config = Config()
    token.set_service(config, token.take())
    assert token.VARIABLE not in os.environ
    (service,) = config.JupyterHub.services
    assert service["api_token"] == TOKEN
    (role,) = config.JupyterHub.load_roles
    assert (role["scopes"], role["services"]) == (["read:metrics"], [token.SERVICE])
    assert config.JupyterHub.authenticate_prometheus is True


@pytest.mark.parametrize("weak", ["", "short", "x" * 31, "0123456789abcdef 0123456789abcdef"])
def test_a_token_that_is_no_secret_stops_the_start(monkeypatch: pytest.MonkeyPatch, weak: str) -> None:
    monkeypatch.setenv(token.VARIABLE, weak)
    with pytest.raises(SettingsError, match="at least 32"):
        token.take()


def test_without_a_token_there_is_no_service_and_metrics_are_not_open() -> None:
    config = Config()
    token.set_service(config, None)
    assert "services" not in config.JupyterHub
    assert config.JupyterHub.authenticate_prometheus is True


# --- rules and dashboard -----------------------------------------------------------------------------

NAME = re.compile(r"\b(?:berth|jupyterhub)_[a-z_]+")


def expressions() -> dict[str, str]:
    """The expressions of rules and dashboard, by where they stand."""
    rules = yaml.safe_load((FILES / "berth.rules.yml").read_text(encoding="utf-8"))
    found = {rule["alert"]: rule["expr"] for group in rules["groups"] for rule in group["rules"]}
    dashboard = json.loads((FILES / "berth-dashboard.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        found |= {f"{panel['title']} {item['refId']}": item["expr"] for item in panel["targets"]}
    return found


async def test_rules_and_dashboard_ask_for_figures_that_there_are(stage: Stage) -> None:
    registry = CollectorRegistry()
    await stage.service.installed()
    stage.collector.snapshot = replace(stage.collector.snapshot, gpu_totals=totals.gpus([node()]))
    state.expose(stage.service, registry)
    families = [*REGISTRY.collect(), *registry.collect()]
    known = {sample.name for family in families for sample in family.samples}
    known |= {
        family.name + end
        for family in families
        for end in ("_bucket", "_sum", "_count")
        if family.type == "histogram"
    }
    assert stock.REQUEST_DURATION_SECONDS._name in {family.name for family in families}
    asked = {name for text in expressions().values() for name in NAME.findall(text)}
    assert len(asked) > 10
    assert asked - known == set()


def test_panels_do_not_cover_each_other_and_take_the_chosen_source() -> None:
    panels = json.loads((FILES / "berth-dashboard.json").read_text(encoding="utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
        assert {item["datasource"]["uid"] for item in panel["targets"]} == {"${datasource}"}
