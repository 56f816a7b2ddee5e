"""Routes of the proxy that lead to where a session served before."""

from __future__ import annotations

import http
import json
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from tests.lab.hub import kill_hub
from tests.lab.sessions import SMALL, running, session_jobs, started
from tests.lab.slurm import full_nodes
from tests.lab.waiting import until
from tests.lab_faults import faults
from tests.lab_faults.faults import kept, settled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.machines import Machine
    from tests.lab.sessions import Session
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

STRANGER = "stranger"
SERVES = f"""
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{STRANGER}")
http.server.ThreadingHTTPServer(("", int(sys.argv[1])), Handler).serve_forever()
"""
# As the hub asks the proxy, with the hub's token, from the hub's machine.
ASK_PROXY = """
import json, sys, urllib.request
method, path, body = sys.argv[1:]
token = open("/etc/berth/proxy.env").read().partition("CONFIGPROXY_AUTH_TOKEN=")[2].split()[0]
request = urllib.request.Request(
    "http://127.0.0.1:8001/api/routes" + path,
    data=body.encode() or None,
    headers={"Authorization": "token " + token},
    method=method,
)
print(urllib.request.urlopen(request, timeout=10).read().decode() or "null")
"""
START_BY_HUB = """
import sys, urllib.request
user, token, options = sys.argv[1:]
request = urllib.request.Request(
    f"http://127.0.0.1:8081/hub/api/users/{user}/server",
    data=options.encode(),
    headers={"Authorization": "token " + token},
)
print(urllib.request.urlopen(request, timeout=60).status)
"""


def target(login: Machine, user: str) -> str:
    """Where the proxy leads who opens the user's session; empty where it leads to the hub."""
    return str(login.python(ASK_PROXY, "GET", "", "").get(f"/user/{user}", {}).get("target", ""))


@contextmanager
def stranger(session: Session, port: int) -> Iterator[None]:
    """Somebody else who serves where a session served."""
    unit = "lab-stranger"
    script = ("python3", "-c", SERVES, str(port))
    session.node.run("systemd-run", "--quiet", "--collect", f"--unit={unit}", "--uid=bob", *script)
    try:
        yield
    finally:
        session.node.run("systemctl", "stop", unit)


def shown(visitor: Visitor) -> str:
    """What one sees who opens the address of the session."""
    return str(visitor.http.get(f"/user/{visitor.name}/lab").text)


def test_a_route_that_could_not_be_deleted_is_gone_while_the_next_start_waits(
    slurm: Slurm, login: Machine, alice: Visitor
) -> None:
    token = alice.token()
    with running(slurm, alice) as session, ExitStack() as later:
        old, port = target(login, "alice"), session.port()
        assert old.endswith(f":{port}")
        with faults.stopped_unit(login, "berth-proxy"):
            slurm.cancel(session.job_id)
            until(lambda: not kept(login, "alice").server, "a hub that has let go", 60)
            blockers = later.enter_context(full_nodes(slurm))
            later.enter_context(stranger(session, port))
            # Past the proxy, which gives no answer.
            assert login.python(START_BY_HUB, "alice", token, json.dumps(dict(SMALL))) == http.HTTPStatus.ACCEPTED
        until(lambda: target(login, "alice") == "", "no route", 30)
        assert STRANGER not in shown(alice)
        assert (alice.server() or {}).get("pending") == "spawn"
        slurm.cancel(*blockers)
        alice.wait_ready()
        settled(login, slurm, alice)
        assert target(login, "alice") not in {"", old}
        assert STRANGER not in shown(alice)


def test_a_route_that_a_killed_hub_left_is_gone_while_the_next_start_waits(
    slurm: Slurm, login: Machine, alice: Visitor
) -> None:
    with running(slurm, alice) as session:
        old, port = target(login, "alice"), session.port()
    with full_nodes(slurm) as blockers, stranger(session, port):
        job_id = started(slurm, alice)
        route = {"target": old, "user": "alice", "server_name": ""}
        login.python(ASK_PROXY, "POST", "/user/alice", json.dumps(route))
        until(lambda: STRANGER in shown(alice), "the old route", 10)
        kill_hub(login, alice)
        until(lambda: target(login, "alice") == "", "no route", 30)
        assert STRANGER not in shown(alice)
        assert (alice.server() or {}).get("pending") == "spawn"
        slurm.cancel(*blockers)
        alice.wait_ready()
        settled(login, slurm, alice)
        assert session_jobs(slurm, "alice") == [job_id]
        assert target(login, "alice") not in {"", old}
