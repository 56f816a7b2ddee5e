"""Lines about requests and logins: who asked for what, and nothing that could be a secret."""

from __future__ import annotations

import logging
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import REGISTRY, generate_latest
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, HTTPError, RequestHandler

from berth import journal
from berth.helper.client import PasswordResult, PasswordVerdict
from berth.hub import access
from berth.hub.app import BerthHub
from berth.hub.auth import HelperAuthenticator, LoginRefused
from tests.unit.hub.test_metrics import value
from tests.unit.hub.test_spawner import started

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.unit.hub.conftest import Stage

SECRET = "hunter2"


class Base(RequestHandler):
    """As far as JupyterHub's own base class matters here."""

    log = logging.getLogger("JupyterHub")

    async def stop_single_user(self, _user: Any, _name: str = "") -> str:
        return "stopped"


class Page(access.Told, Base):
    """Answers, refuses or breaks, as the path says."""

    def get(self, what: str) -> None:
        if what == "refuses":
            raise HTTPError(403, "not %s", "yours")
        if what == "breaks":
            raise RuntimeError("nobody thought of this")
        self.finish("fine")


@pytest.fixture
async def url() -> AsyncIterator[str]:
    application = Application([(r"/(.*)", Page)], log_function=access.log_request)
    server = HTTPServer(application)
    socket, port = bind_unused_port()
    server.add_socket(socket)
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    caplog.handler.setFormatter(journal.Formatter())
    return caplog


async def ask(url: str, method: str = "GET") -> int:
    answer = await AsyncHTTPClient().fetch(
        url,
        method=method,
        raise_error=False,
        allow_nonstandard_methods=True,
        headers={"Cookie": f"jupyterhub-session-id={SECRET}", "X-XSRFToken": SECRET, "Authorization": SECRET},
    )
    return answer.code


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/answers", (200, "info", "")),
        ("/refuses", (403, "warning", 'msg="not yours"')),
        ("/breaks", (500, "error", 'msg="Uncaught RuntimeError" traceback=')),
    ],
)
async def test_a_request_is_a_line_without_its_query_and_headers(
    url: str, lines: pytest.LogCaptureFixture, path: str, expected: tuple[int, str, str]
) -> None:
    status, level, said = expected
    assert await ask(f"{url}{path}?token={SECRET}&code={SECRET}") == status
    assert SECRET not in lines.text
    own = [line for line in lines.text.splitlines() if "event=request " in line]
    assert len(own) == 1
    assert f" level={level} " in own[0]
    assert f" status={status} method=GET path={path} ip=127.0.0.1 seconds=" in own[0]
    assert said in lines.text
    assert lines.text.count("\n") == len(lines.records)


async def test_a_token_in_a_path_is_not_written(url: str, lines: pytest.LogCaptureFixture) -> None:
    await ask(f"{url}/hub/api/authorizations/token/{SECRET}")
    assert SECRET not in lines.text
    assert "/hub/api/authorizations/token/[secret]" in lines.text


async def test_a_method_that_does_not_exist_makes_no_series(url: str) -> None:
    assert await ask(f"{url}/answers", "BREW") == 405
    assert await ask(f"{url}/answers") == 200
    told = generate_latest(REGISTRY).decode()
    assert 'method="GET"' in told
    assert "BREW" not in told


async def test_who_asked_for_the_end_of_a_session_is_told(
    stage: Stage, lines: pytest.LogCaptureFixture
) -> None:
    spawner, task = await started(stage)
    request = SimpleNamespace(connection=SimpleNamespace(set_close_callback=lambda _: None))
    handler: Any = Page(Application(), request)  # type: ignore[arg-type]
    handler.current_user = SimpleNamespace(name="operator")
    assert await handler.stop_single_user(stage.user) == "stopped"
    assert spawner.record is not None
    nonce = spawner.record.nonce
    wanted = f'event=stop-asked session={nonce} user=alice server="" job_id=7 by=operator'
    assert wanted in lines.text
    task.cancel()


# --- logins ------------------------------------------------------------------------------------------


class Checking:
    """A helper that answers one verdict."""

    def __init__(self, verdict: PasswordVerdict) -> None:
        self.result = PasswordResult(verdict, "" if verdict is PasswordVerdict.OK else "why")

    async def check_password(self, _user: str, _password: str) -> PasswordResult:
        return self.result


async def log_in(verdict: PasswordVerdict, name: str) -> object:
    handler = SimpleNamespace(
        settings={"berth": SimpleNamespace(helper=Checking(verdict))},
        request=SimpleNamespace(remote_ip="192.0.2.1"),
        find_user=lambda found: object() if found == "alice" else None,
    )
    return await HelperAuthenticator().authenticate(handler, {"username": name, "password": SECRET})


async def test_a_login_is_told_with_its_address(lines: pytest.LogCaptureFixture) -> None:
    assert await log_in(PasswordVerdict.OK, "alice") == {"name": "alice", "admin": False}
    assert "event=login user=alice ip=192.0.2.1" in lines.text


@pytest.mark.parametrize("verdict", [PasswordVerdict.WRONG, PasswordVerdict.RATE_LIMITED])
@pytest.mark.parametrize(("name", "shown"), [("alice", "alice"), (SECRET, "(unknown)")])
async def test_a_refused_login_is_told_without_a_name_that_may_be_a_password(
    lines: pytest.LogCaptureFixture, verdict: PasswordVerdict, name: str, shown: str
) -> None:
    before = value("berth_logins_refused_total", reason=str(verdict))
    try:
        assert await log_in(verdict, name) is None
    except LoginRefused:
        assert verdict is PasswordVerdict.RATE_LIMITED
    assert f"event=login-refused user={shown} ip=192.0.2.1 reason={verdict} msg=why" in lines.text
    assert SECRET not in lines.text
    assert value("berth_logins_refused_total", reason=str(verdict)) == before + 1


# --- the application ---------------------------------------------------------------------------------


@pytest.fixture
def app(stage: Stage) -> Iterator[BerthHub]:
    ours = logging.getLogger("berth")
    parent, level = ours.parent, ours.level
    made = BerthHub()
    made.service = stage.service
    yield made
    ours.parent, ours.level = parent, level
    BerthHub.clear_instance()


def test_all_of_the_hub_s_lines_are_written_alike(app: BerthHub, capsys: pytest.CaptureFixture[str]) -> None:
    app.init_logging()
    (own,) = [handler for handler in app.log.handlers if type(handler) is logging.StreamHandler]
    own.setStream(sys.stderr)
    app.log.handlers = [own]  # pytest adds some that collect
    app.log.warning("Failed login for %r", SECRET)
    app.log.info("Setting new xsrf cookie for %r", SECRET)  # as JupyterHub does, with the session's id
    app.log.warning("JupyterHub says\nthis")
    journal.event(logging.getLogger("berth.session"), "ready", user="alice")
    said = capsys.readouterr().err.splitlines()
    assert [line.partition("level=")[2] for line in said] == [
        f'warning logger={app.log.name} msg="JupyterHub says\\nthis"',
        "info logger=berth.session event=ready user=alice",
    ]
