"""A whole session with a tool, against a stand-in hub."""

from __future__ import annotations

import json
import stat
import sys
import time
from typing import TYPE_CHECKING, Any

import psutil  # type: ignore[import-untyped]
import pytest

from tests.unit.session.conftest import Session, started, until
from tests.unit.session.standin import Running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.session.conftest import Layer

pytestmark = pytest.mark.slow

END = 1_800_000_000
NOTICE = {"id": "12ab", "level": "info", "text": {"en": "New GPUs."}, "until": None}
SERVER = """
import json, os, socketserver, sys
from http.server import BaseHTTPRequestHandler

class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps([self.path, os.environ["GREETING"], sys.argv[2], os.getpid()]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def address_string(self):
        return "somebody"

socketserver.ThreadingUnixStreamServer(sys.argv[1], Page).serve_forever()
"""


def tool(**changed: Any) -> str:
    document = {
        "title": "Demo",
        "command": [sys.executable, "-c", SERVER, "{socket}", "{python}"],
        "environment": {"GREETING": '{"of": "{home}", "kept": "{braces}"}'},
        "settings": {},
        "defaults": {"{home}/.demo.json": {"new": True}},
        "icon": "<svg/>",
        "start_seconds": 30,
    }
    return json.dumps({**document, **changed})


@pytest.fixture(scope="module")
def session(layer: Layer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A session that serves, with a tool that works and one that does not start."""
    layer.settings(extensions=["jupyterlab", "jupyter_server_terminals", "berth.session.workbench"])
    tools = layer.prefix / "etc" / "tools"
    tools.mkdir()
    (tools / "demo.json").write_text(tool(), encoding="utf-8")
    (tools / "broken.json").write_text(tool(command=["/bin/false"], start_seconds=2), encoding="utf-8")
    hub = Running()
    hub.hub.end = END
    hub.hub.notices = [NOTICE, {**NOTICE, "id": "over", "until": time.time() - 1}]
    try:
        with started(layer, hub, tmp_path_factory.mktemp("session") / "output") as session:
            until(hub.hub.ready.is_set, session)
            yield session
    finally:
        hub.stop()


def opened(session: Session) -> tuple[str, dict[str, str], str, psutil.Process]:
    status, text, _ = follow(session, "demo/some/page")
    assert status == 200, text
    path, greeting, python, pid = json.loads(text)
    return path, json.loads(greeting), python, psutil.Process(pid)


def follow(session: Session, path: str) -> tuple[int, str, Any]:
    """As a browser: an early one is sent on to the same address."""
    answer = session.get(path)
    if answer[0] == 302:
        assert answer[2]["Location"] == f"/user/alice/{path}"
        answer = session.get(path)
    return answer


def test_a_tool_is_started_when_somebody_opens_it_and_knows_its_session(session: Session) -> None:
    assert not (session.layer.home / ".demo.json").exists()
    path, greeting, python, _ = opened(session)
    assert path == "/some/page"
    assert greeting == {"of": str(session.layer.home), "kept": "{braces}"}
    assert python == "/opt/berth/python-0/bin/python"
    assert json.loads((session.layer.home / ".demo.json").read_text(encoding="utf-8")) == {"new": True}


def test_it_is_the_same_process_for_every_page_and_the_first_to_go(session: Session) -> None:
    processes = {opened(session)[3].pid for _ in range(2)}
    assert len(processes) == 1
    with open(f"/proc/{processes.pop()}/oom_score_adj", encoding="ascii") as file:  # noqa: PTH123
        assert int(file.read()) == 500


def test_nobody_else_reaches_it(session: Session) -> None:
    process = opened(session)[3]
    for connection in psutil.net_connections("inet"):
        assert connection.pid != process.pid, "the tool listens on the network"
    (private,) = session.private
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert (private / "demo.sock").is_socket()
    assert session.get("demo/some/page", token=None)[0] in {302, 403}


@pytest.mark.parametrize("path", ["proxy/8888/x", "proxy/absolute/8888/x", "proxy/localhost:8888/x"])
def test_no_other_port_of_the_node_is_shown_in_the_session_s_name(session: Session, path: str) -> None:
    assert session.get(path)[0] == 404


def test_a_tool_that_does_not_start_says_so(session: Session) -> None:
    status, text, _ = follow(session, "broken/")
    assert status == 500
    assert "Demo did not start" in text
    assert "session-4711.log says why" in text


def test_the_session_says_what_lab_shows(session: Session) -> None:
    before = time.time()
    found = json.loads(session.get("berth/api/status")[1])
    assert before <= found["now"] <= time.time()
    assert found["end"] == END
    assert found["notices"] == [NOTICE]
    assert [(item["name"], item["title"], item["icon"]) for item in found["tools"]] == [
        ("broken", "Demo", "<svg/>"),
        ("demo", "Demo", "<svg/>"),
    ]
    assert session.get("berth/api/status", token=None)[0] == 403


def test_asking_for_it_is_no_activity(session: Session) -> None:
    def last() -> str:
        activity: str = json.loads(session.get("api/status?no_track_activity=1")[1])["last_activity"]
        return activity

    before = last()
    session.get("berth/api/status")
    assert last() == before


def test_the_dashboards_are_there_for_a_session_without_gpus(session: Session) -> None:
    status, text, _ = follow(session, "nvdashboard/accelerators/check")
    assert status == 200
    assert json.loads(text)["has_gpu"] is False
    until(lambda: json.loads(session.get("berth/api/status")[1])["gpus"] is not None, session)


def test_lab_loads_our_extension(session: Session) -> None:
    status, text, _ = session.get("lab/extensions/berth/static/berth.js")
    assert status == 200
    assert "_JUPYTERLAB.berth" in text
    page = session.get("lab")[1]
    assert '"name": "berth"' in page


def test_it_ends_with_the_session(session: Session) -> None:
    process = opened(session)[3]
    session.stop()
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
