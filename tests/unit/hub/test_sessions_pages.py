"""What operators see and do at the hub, by page and by REST; and that nobody else does."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from berth.hub.handlers.history import row as history_row
from berth.hub.operate import ending, overview
from berth.hub.operate.notices import Maintenance
from tests.unit.hub.factories import job
from tests.unit.hub.test_spawner import started
from tests.unit.hub.website import Website

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from berth.hub.session.spawner import BerthSpawner
    from tests.unit.hub.conftest import Stage

ADMIN = {"admin-ui", "read:servers", "delete:servers", "start:servers", "servers", "read:users:name"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
OPTIONS = {"cores": "1", "memory": "500M", "gpus": "0", "time": "01:00:00", "account": "proj_a"}
SPAN = {"from": "2020-01-01T00:00Z", "until": "2999-01-01T00:00Z"}


@pytest.fixture
async def site(stage: Stage) -> AsyncIterator[Website]:
    made = Website(stage)
    made.scopes = ADMIN
    yield made
    made.server.stop()


@pytest.fixture
async def serving(stage: Stage) -> AsyncIterator[BerthSpawner]:
    """A session of alice's that runs."""
    spawner, task = await started(stage)
    spawner.session_reported(40001)
    end = int(time.time()) + 3700
    stage.collector.publish(job(state="RUNNING", nodes=("gpu2",), gpus={"a100": 1}, end_time=end))
    spawner.server.ip, spawner.server.port = await task
    spawner.orm_spawner.last_activity = dt.datetime.now(dt.UTC).replace(tzinfo=None) - dt.timedelta(minutes=7)
    stage.database.commit()
    yield spawner
    with contextlib.suppress(asyncio.CancelledError):
        await spawner.stop(now=True)


def ends(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let JupyterHub's end of a session be the spawner's; return whose were ended."""
    ended: list[str] = []

    async def stop(_handler: object, user: Any, server: str = "") -> None:
        spawner = user.spawners[server]
        ended.append(user.name)
        spawner.record.phase = "stopping"
        stage.collector.publish(ended=(job(state="CANCELLED", nodes=("gpu2",), cancelled_by="alice"),))
        spawner.clear_state()
        spawner.orm_spawner.server = None
        stage.database.commit()

    monkeypatch.setattr(ending, "end", stop)
    return ended


# --- who may ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lacks", ["admin-ui", "read:servers"])
@pytest.mark.parametrize("path", ["/hub/berth/sessions", "/hub/api/berth/sessions"])
async def test_sessions_are_listed_for_operators_only(site: Website, lacks: str, path: str) -> None:
    assert (await site.get(path)).code == 200
    site.scopes = ADMIN - {lacks}
    assert (await site.get(path)).code == 403


async def test_only_operators_end_sessions_announce_and_maintain(site: Website) -> None:
    for scopes in (ADMIN - {"admin-ui"}, {"servers", "delete:servers!user=alice"}):
        site.scopes = scopes
        for method, path in [
            ("GET", "/hub/berth/sessions/stop"),
            ("POST", "/hub/berth/sessions/stop"),
            ("POST", "/hub/api/berth/sessions/stop"),
            ("GET", "/hub/api/berth/announcements"),
            ("POST", "/hub/api/berth/announcements"),
            ("DELETE", "/hub/api/berth/announcements/x"),
            ("GET", "/hub/api/berth/maintenance"),
            ("PUT", "/hub/api/berth/maintenance"),
            ("DELETE", "/hub/api/berth/maintenance"),
        ]:
            assert (await site.send(method, path, "{}" if method in {"POST", "PUT"} else "")).code == 403, (
                path
            )
    site.scopes = ADMIN - {"delete:servers"}
    assert (await site.send("POST", "/hub/api/berth/sessions/stop", "{}")).code == 403


async def test_the_menu_leads_there_for_operators_only(site: Website) -> None:
    links = [item["href"] for item in (await site.page("/hub/home")).select("nav a")]
    assert "/hub/berth/sessions" in links
    site.scopes = ADMIN - {"admin-ui"}
    links = [item["href"] for item in (await site.page("/hub/home")).select("nav a")]
    assert "/hub/berth/sessions" not in links


# --- the list --------------------------------------------------------------------------------------------


async def test_a_row_says_whose_session_holds_what_and_for_how_long(
    site: Website, serving: BerthSpawner
) -> None:
    serving.record.asked |= {"gpus": 1, "gpu_type": "a100"}  # type: ignore[union-attr]
    page = await site.page("/hub/berth/sessions")
    (line,) = page.select("#berth-sessions tbody tr")
    cells = [cell.get_text(" ", strip=True) for cell in line.find_all("td")]
    assert cells == [
        *("alice", "7", "RUNNING", "gpu2", "1 a100", "1", "1000 MiB", "2026.11", "lab", "7 min", "1 h 1 min"),
        "Stop",
    ]
    assert "One session runs: 1 cores, 1000 MiB, 1 GPUs." in page.get_text()


async def test_one_that_is_being_ended_cannot_be_ended_again(site: Website, serving: BerthSpawner) -> None:
    serving.record.phase = "stopping"  # type: ignore[union-attr]
    page = await site.page("/hub/berth/sessions")
    (line,) = page.select("#berth-sessions tbody tr")
    assert "STOPPING" in line.get_text()
    assert line.find("a") is None
    await site.page("/hub/berth/sessions/stop?session=alice", 404)


async def test_without_sessions_the_page_says_so(site: Website) -> None:
    assert "There are no sessions." in (await site.page("/hub/berth/sessions")).get_text()
    assert (
        "Non ci sono sessioni." in (await site.page("/hub/berth/sessions", accept_language="it")).get_text()
    )


BASE = overview.Row("a", "", "RUNNING", 1, "n1", 1, 100, 0, "", "r", "lab", 10, 10)


@pytest.mark.parametrize(
    ("column", "names"),
    [("user", "abc"), ("gpus", "bca"), ("idle_seconds", "bca"), ("left_seconds", "acb"), ("none", "cab")],
)
def test_lists_are_sorted_by_a_column_the_most_or_the_first_on_top(column: str, names: str) -> None:
    rows = [
        replace(BASE, user="c", idle_seconds=50, left_seconds=20),
        replace(BASE, idle_seconds=None),
        replace(BASE, user="b", gpus=2, idle_seconds=90, left_seconds=None),
    ]
    assert "".join(row.user for row in overview.ordered(rows, column)) == names


# --- ending them -----------------------------------------------------------------------------------------


async def test_a_page_of_its_own_asks_and_the_user_reads_why(
    site: Website, stage: Stage, serving: BerthSpawner, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = ends(stage, monkeypatch)
    path = "/hub/berth/sessions/stop?session=alice"
    page = await site.page(path)
    assert page.select_one("h1").get_text() == "Stop the session of alice"  # type: ignore[union-attr]
    assert [item["value"] for item in page.select("input[name=shown]")] == ["alice"]
    assert ended == []
    body = urlencode({"shown": "alice", "message": "Node <b>gpu2</b> needs care {now}."})
    answer = await site.send("POST", path, body, **FORM)
    assert (answer.code, answer.headers["Location"]) == (302, "/hub/berth/sessions")
    assert ended == ["alice"]
    said = "An operator ended this session: Node <b>gpu2</b> needs care {now}."
    assert str(serving.last_end) == said
    (past,) = serving.past_sessions
    assert str(history_row(serving, past, time.time()).end) == said
    page = await site.page("/hub/home", accept_language="it")
    shown = page.select_one("#berth-session").get_text()  # type: ignore[union-attr]
    assert shown == "Un operatore ha terminato questa sessione: Node <b>gpu2</b> needs care {now}."


@pytest.mark.parametrize("message", ["", "   ", "two\nlines"])
async def test_without_a_word_why_nothing_is_ended(
    site: Website, stage: Stage, serving: BerthSpawner, monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    ended = ends(stage, monkeypatch)
    body = urlencode({"shown": "alice", "message": message})
    answer = await site.send("POST", "/hub/berth/sessions/stop", body, **FORM)
    assert answer.code == 400
    assert b"Write why" in answer.body
    assert ended == []
    assert serving.record.ended_by is None  # type: ignore[union-attr]


async def test_all_are_those_that_the_page_showed(
    site: Website, stage: Stage, serving: BerthSpawner, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = ends(stage, monkeypatch)
    await site.send("POST", "/hub/berth/sessions/stop", urlencode({"message": "Power."}), **FORM)
    assert ended == []
    assert serving.active
    body = urlencode({"shown": "alice", "message": "Power."})
    await site.send("POST", "/hub/berth/sessions/stop", body, **FORM)
    assert ended == ["alice"]


async def test_by_rest_one_or_all_and_none_where_one_is_not_there(
    site: Website, stage: Stage, serving: BerthSpawner, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert serving.active
    ended, path = ends(stage, monkeypatch), "/hub/api/berth/sessions/stop"
    for document, code in [
        ({"sessions": ["alice", "bob"], "message": "x"}, 404),
        ({"sessions": ["alice"]}, 400),
        ({"sessions": ["alice"], "message": ""}, 400),
        ({"message": "x"}, 400),
        ({"sessions": "alice", "message": "x"}, 400),
    ]:
        answer = await site.send("POST", path, json.dumps(document))
        assert answer.code == code, answer.body
        assert json.loads(answer.body)["message"]
    assert ended == []
    answer = await site.send("POST", path, json.dumps({"sessions": None, "message": "x"}))
    assert json.loads(answer.body) == {"ended": ["alice"]}
    assert ended == ["alice"]


async def test_what_came_first_is_what_is_told(stage: Stage, serving: BerthSpawner) -> None:
    serving.record.ended_by = {"key": "operate.ended", "values": {"message": "x"}}  # type: ignore[union-attr]
    serving.record.phase = "stopping"  # type: ignore[union-attr]
    stage.collector.publish(ended=(job(state="OUT_OF_MEMORY", nodes=("gpu2",)),))
    serving.clear_state()
    assert "ran out of memory" in str(serving.last_end)


async def test_words_to_the_user_outlive_the_hub(stage: Stage, serving: BerthSpawner) -> None:
    serving.record.ended_by = {"key": "operate.ended", "values": {"message": "Power."}}  # type: ignore[union-attr]
    serving._save()
    again = stage.restarted()
    assert again.record is not None
    assert again.record.ended_by == {"key": "operate.ended", "values": {"message": "Power."}}


# --- announcements and maintenance -----------------------------------------------------------------------


async def test_an_announcement_is_on_every_page_as_plain_text_until_it_is_removed(site: Website) -> None:
    wanted = {"text": {"en": "<script>alert(1)</script> {x}", "it": "GPU & dischi"}, "level": "warning"}
    answer = await site.send("POST", "/hub/api/berth/announcements", json.dumps(wanted))
    assert answer.code == 201
    name = json.loads(answer.body)["id"]
    site.scopes = ADMIN - {"admin-ui"}
    for path in ("/hub/home", "/hub/spawn", "/hub/berth/history"):
        (shown,) = (await site.page(path)).select("#berth-notices .alert-warning")
        assert shown.get_text(strip=True) == "<script>alert(1)</script> {x}"
        (shown,) = (await site.page(path, accept_language="it")).select("#berth-notices p")
        assert (shown.get_text(strip=True), shown["lang"]) == ("GPU & dischi", "it")
    site.scopes = ADMIN
    assert (await site.send("DELETE", f"/hub/api/berth/announcements/{name}", "")).code == 204
    assert (await site.page("/hub/home")).select("#berth-notices") == []
    assert (await site.send("DELETE", f"/hub/api/berth/announcements/{name}", "")).code == 404


async def test_a_session_hears_of_it_too(site: Website, serving: BerthSpawner) -> None:
    await site.send("POST", "/hub/api/berth/announcements", json.dumps({"text": "New GPUs."}))
    answer = await site.get("/hub/api/berth/session", Authorization=f"token {serving.api_token}")
    found = json.loads(answer.body)
    assert found["end"] > time.time()
    (notice,) = found["notices"]
    assert (notice["level"], notice["text"], notice["until"]) == ("info", {"en": "New GPUs."}, None)


async def test_a_wrong_announcement_is_refused_with_a_sentence(site: Website) -> None:
    answer = await site.send("POST", "/hub/api/berth/announcements", json.dumps({"text": "100 %\n"}))
    assert answer.code == 201  # white space at the ends is nobody's wish
    answer = await site.send("POST", "/hub/api/berth/announcements", json.dumps({"text": "a\nb"}))
    assert answer.code == 400
    assert "one line" in json.loads(answer.body)["message"]


async def test_in_a_maintenance_form_rest_and_link_start_nothing(site: Website, stage: Stage) -> None:
    document = {"text": "New disks.", **SPAN}
    assert (await site.send("PUT", "/hub/api/berth/maintenance", json.dumps(document))).code == 200
    site.scopes = ADMIN - {"admin-ui"}
    said = "No new sessions can be started until 2999-01-01"
    for path, status in (("/hub/spawn", 200), ("/hub/spawn?cores=2", 503)):
        page = await site.page(path, status)
        assert page.get_text().count(said) == 1
        assert page.select("#spawn_form select, #spawn_form button, #form-message") == []
    answer = await site.send("POST", "/hub/spawn", urlencode(OPTIONS), **FORM)
    assert answer.code == 503
    assert int(answer.headers["Retry-After"]) > 10**9
    assert said.encode() in answer.body
    site.scopes = ADMIN - {"admin-ui"}
    answer = await site.send("POST", "/hub/api/users/alice/server", json.dumps({"user_options": OPTIONS}))
    assert answer.code == 503
    assert int(answer.headers["Retry-After"]) > 10**9
    assert json.loads(answer.body)["message"].startswith(said)
    assert "New disks." in json.loads(answer.body)["message"]
    assert stage.helper.submitted == []


async def test_an_operator_is_told_and_may_start(site: Website, stage: Stage) -> None:
    stage.service.board.set_maintenance(Maintenance.model_validate({"text": "New disks.", **SPAN}))
    page = await site.page("/hub/spawn")
    assert "you can, as an operator" in page.select_one("#berth-exception").get_text()  # type: ignore[union-attr]
    assert page.select("#spawn_form button[type=submit]")
    await site.send("DELETE", "/hub/api/berth/maintenance", "")
    site.scopes = ADMIN - {"admin-ui"}
    page = await site.page("/hub/spawn")
    assert page.select("#berth-closed, #berth-exception") == []
    assert page.select("#spawn_form button[type=submit]")


async def test_a_start_that_would_reach_into_a_maintenance_is_hinted_at(site: Website, stage: Stage) -> None:
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=50)
    span = {"from": soon, "until": soon + dt.timedelta(hours=1)}
    stage.service.board.set_maintenance(Maintenance.model_validate({"text": "New disks.", **span}))
    hint = "It would run into the maintenance that begins at"
    page = await site.page("/hub/spawn")
    assert "Maintenance from" in page.select_one("#berth-notices").get_text()  # type: ignore[union-attr]
    assert hint in page.select_one("#berth-advice").get_text()  # type: ignore[union-attr]
    for asked, hinted in (("01:00:00", True), ("00:30:00", False)):
        answer = await site.get(f"/hub/berth/api/advice?{urlencode(OPTIONS | {'time': asked})}")
        assert (hint in json.loads(answer.body)["sentence"]) is hinted


async def test_what_is_wrong_about_a_maintenance_is_said_and_changes_nothing(
    site: Website, stage: Stage
) -> None:
    for document in (
        {"text": "x"},
        {"text": "x", "from": SPAN["until"], "until": SPAN["from"]},
        {"text": "x", "from": "2020-01-01T00:00Z", "until": "2020-01-02T00:00Z"},
    ):
        answer = await site.send("PUT", "/hub/api/berth/maintenance", json.dumps(document))
        assert answer.code == 400
        assert json.loads(answer.body)["message"]
    assert stage.service.board.maintenance(time.time()) is None
