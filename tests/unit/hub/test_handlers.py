"""Our URLs for scripts, over HTTP: who may ask, what wrong questions get, and how streams end."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from jupyterhub.scopes import parse_scopes
from tornado import web
from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application

from berth.helper.client import EstimateResult, Verdict
from berth.hub.form.estimate import Estimator
from berth.hub.handlers import advice, availability, report, stop
from berth.hub.texts.localized import localize
from berth.slurm.free import openings
from tests.unit.hub.factories import NOW, snapshot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from berth.hub.collector.snapshot import Snapshot
    from tests.unit.hub.conftest import Stage

STREAM = {"Accept": "text/event-stream"}
LOGIN = {"Cookie": "jupyterhub-session-id=first"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def seen(**changes: Any) -> Snapshot:
    known = snapshot(**changes)
    free = openings.count(known.nodes, (), known.reservations, shared_by=5, now=NOW)
    return replace(known, openings=free)


class AnsweringHelper:
    """Says that everything starts at once."""

    async def estimate(self, *_: object) -> EstimateResult:
        return EstimateResult(
            Verdict.OK, "Job 1 to start at 2001-01-01T00:00:00 using 1 processors on nodes x"
        )


class Site:
    """The handlers on a port of their own, for a user who is logged in (or not)."""

    def __init__(self, stage: Stage) -> None:
        stage.collector.snapshot = seen()
        stage.service.estimator = Estimator(AnsweringHelper())  # type: ignore[arg-type]
        self.stage = stage
        self.user: Any = stage.user
        site = self

        class LoggedIn:
            """Replaces what JupyterHub does before each request."""

            async def prepare(self) -> None:
                self._jupyterhub_user = site.user
                self.expanded_scopes = {"delete:servers"}
                self.parsed_scopes = parse_scopes(self.expanded_scopes)

            def check_xsrf_cookie(self) -> None:
                """JupyterHub's own, and tested there."""

            def write_error(self, status_code: int, **how: Any) -> None:
                """Say what JupyterHub's page would, without the page."""
                error = how.get("exc_info", (None, None))[1]
                words = getattr(error, "jupyterhub_message", str(status_code))
                self.finish(words)  # type: ignore[attr-defined]

        def here(handler: type) -> type:
            return type(handler.__name__, (LoggedIn, handler), {})

        hub = stage.user.settings["hub"]
        self.server = HTTPServer(
            Application(
                localize(
                    [
                        (r"/availability", here(availability.AvailabilityHandler)),
                        (r"/advice", here(advice.AdviceHandler)),
                        (r"/estimate", here(advice.EstimateHandler)),
                        (r"/stop/(?P<user_name>[^/]+)", here(stop.StopHandler)),
                    ]
                ),
                berth=stage.service,
                hub=hub,
                db=stage.database,
                log_function=lambda _handler: None,
            )
        )
        socket, port = bind_unused_port()
        self.server.add_socket(socket)
        self.url = f"http://127.0.0.1:{port}"

    async def get(self, path: str, **headers: str) -> HTTPResponse:
        return await AsyncHTTPClient().fetch(self.url + path, raise_error=False, headers=headers)

    async def post(self, path: str, values: dict[str, str], **headers: str) -> HTTPResponse:
        return await AsyncHTTPClient().fetch(
            self.url + path,
            method="POST",
            body=urlencode(values),
            headers=FORM | headers,
            follow_redirects=False,
            raise_error=False,
        )

    def read(self, path: str, said: list[str], **headers: str) -> asyncio.Future[HTTPResponse]:
        """Follow a stream; `said` gets what it says."""
        return AsyncHTTPClient().fetch(
            self.url + path,
            headers=STREAM | LOGIN | headers,
            request_timeout=10,
            streaming_callback=lambda chunk: said.append(chunk.decode()),
        )


@pytest.fixture
async def site(stage: Stage) -> AsyncIterator[Site]:
    made = Site(stage)
    yield made
    made.server.stop()
    await made.server.close_all_connections()


async def until(probe: Callable[[], Any]) -> None:
    async with asyncio.timeout(5):
        while not probe():
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("path", ["/availability", "/advice"])
async def test_only_users_may_ask(site: Site, path: str) -> None:
    site.user = None
    assert (await site.get(path)).code == 403


@pytest.mark.parametrize(
    ("language", "login", "nobody"),
    [
        ("en", "Log in first", "There is no user carol in this service."),
        ("it", "Prima occorre accedere", "In questo servizio non c'è un utente carol."),
    ],
)
async def test_a_refusal_reads_in_the_language_of_its_reader_and_is_logged_in_english(
    site: Site, caplog: pytest.LogCaptureFixture, language: str, login: str, nobody: str
) -> None:
    asks = {"Accept-Language": language}
    answer = await site.post("/stop/carol", {}, **asks)
    assert (answer.code, answer.body.decode()) == (404, nobody)
    assert "There is no user carol in this service." in caplog.text
    site.user = None
    answer = await site.get("/advice", **asks)
    assert (answer.code, answer.body.decode().startswith(login)) == (403, True)
    assert "Log in first" in caplog.text


async def test_the_table_is_there_once_for_all_and_for_a_reservation_of_ones_own(site: Site) -> None:
    answer = await site.get("/availability")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/json"
    assert json.loads(answer.body)["rows"][0]["nodes"] == [1, 0, 1]
    own = json.loads((await site.get("/availability?reservation=course")).body)
    assert own["rows"][0]["nodes"] == [0, 0, 1]


@pytest.mark.parametrize(
    "query", ["reservation=other", "reservation=a&reservation=b", "x=1", "reservation=%ff"]
)
async def test_a_reservation_that_is_not_on_offer_is_refused(site: Site, query: str) -> None:
    answer = await site.get(f"/availability?{query}")
    assert answer.code == 400
    assert list(json.loads(answer.body)["problems"]) == [query.partition("=")[0]]


async def test_advice_judges_what_the_form_says(site: Site) -> None:
    answer = await site.get("/advice?cores=4&gpus=a100:2&time=00:30:00")
    assert json.loads(answer.body) == {
        "now": True,
        "probably": False,
        "sentence": "Can start now.",
        "suggestions": [],
    }
    wrong = await site.get("/advice?cores=4&memory=1T&nodes=2")
    assert wrong.code == 400
    assert set(json.loads(wrong.body)["problems"]) == {"memory", "nodes"}


async def test_a_script_gets_the_estimate_as_a_document(site: Site) -> None:
    answer = await site.post("/estimate", {"cores": "2", "_xsrf": "x"}, Accept="application/json")
    assert answer.code == 200
    assert json.loads(answer.body)["sentence"] == "Slurm would start this request at once."
    wrong = await site.post("/estimate", {"cores": "3"}, Accept="application/json")
    assert wrong.code == 400
    assert set(json.loads(wrong.body)["problems"]) == {"cores"}


async def test_a_browser_without_scripts_gets_the_form_again_with_the_answer(site: Site) -> None:
    answer = await site.post("/estimate", {"cores": "2", "_xsrf": "x"})
    assert (answer.code, answer.headers["Location"]) == (302, "/hub/spawn")
    page = await site.stage.spawner.get_options_form()
    assert "Slurm would start this request at once." in page
    assert '<option value="2" selected' in page
    assert "at once" not in await site.stage.spawner.get_options_form()


async def test_a_browser_without_scripts_sees_what_is_wrong(site: Site) -> None:
    answer = await site.post("/estimate", {"cores": "3"})
    assert answer.code == 302
    assert 'id="berth-cores-problem"' in await site.stage.spawner.get_options_form()


async def test_a_stream_tells_each_snapshot_once(site: Site) -> None:
    said: list[str] = []
    reading = site.read("/availability", said)
    await until(lambda: "data: " in "".join(said))
    site.stage.collector.snapshot = seen(nodes=())
    await until(lambda: "".join(said).count("data: ") == 2)
    first, second = (json.loads(line[6:]) for line in "".join(said).splitlines() if line.startswith("data: "))
    assert first["rows"]
    assert second["rows"] == []
    site.stage.service.streams.end("first")
    assert (await reading).code == 200


async def test_logging_out_ends_the_streams_of_that_login_and_no_others(site: Site) -> None:
    mine: list[str] = []
    others: list[str] = []
    ended = site.read("/availability", mine)
    going_on = site.read("/availability", others, Cookie="jupyterhub-session-id=second")
    await until(lambda: mine and others)
    site.stage.service.streams.end(None)
    site.stage.service.streams.end("first")
    await asyncio.wait_for(asyncio.ensure_future(ended), 5)
    count = len(others)
    await until(lambda: len(others) > count)
    site.stage.service.streams.end("second")
    await going_on
    assert site.stage.service.streams._writers == {}


async def test_a_stream_ends_after_a_while_so_that_its_reader_is_asked_again_who_it_is(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(availability, "STREAM_SECONDS", 0.05)
    answer = await site.read("/availability", [])
    assert answer.code == 200


async def test_a_reader_who_goes_away_leaves_nothing_behind(site: Site) -> None:
    said: list[str] = []
    reading = site.read("/availability", said)
    await until(lambda: said)
    await site.server.close_all_connections()
    await until(lambda: not site.stage.service.streams._writers)
    with pytest.raises(Exception):  # noqa: B017, PT011 - the client's own words for a lost connection
        await reading


# --- what a session says ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b'{"idle_minutes": 0}', b'{"idle_minutes": "5"}', b'{"port": 40000}'),
        *(b'{"idle_minutes": 5, "port": 40000}', b'{"port": 80, "ready": true}'),
        b'{"port": 40000, "ready": true, "user": "bob"}',
    ],
)
def test_a_session_that_says_something_else_is_refused(body: bytes) -> None:
    with pytest.raises(web.HTTPError) as caught:
        report._read(body)
    assert caught.value.status_code == 400


def test_a_session_says_that_it_serves_or_that_nobody_uses_it() -> None:
    assert report._read(b'{"port": 40000, "ready": true}') == report._Report(port=40000, ready=True)
    assert report._read(b'{"idle_minutes": 5}') == report._Ending(idle_minutes=5)
