"""Routes of the proxy that lead to where a session served before."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

from tests.lab.cluster import OPEN_NODE
from tests.lab.hub import kill_hub
from tests.lab.machines import Machine
from tests.lab.sessions import SMALL, running, session_jobs, started
from tests.lab.slurm import full_nodes
from tests.lab.waiting import until
from tests.lab_faults import faults
from tests.lab_faults.faults import kept, settled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

STRANGER = "stranger"
STRANGERS_PORT = 39001
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
def stranger(node: Machine) -> Iterator[str]:
    """Somebody else's server on a node; gives its address."""
    unit = "lab-stranger"
    script = ("python3", "-c", SERVES, str(STRANGERS_PORT))
    node.run("systemd-run", "--quiet", "--collect", f"--unit={unit}", "--uid=bob", *script)
    try:
        yield f"http://{node.name}:{STRANGERS_PORT}"
    finally:
        node.run("systemctl", "stop", unit)


def shown(visitor: Visitor) -> str:
    """What one sees who opens the address of the session."""
    return str(visitor.http.get(f"/user/{visitor.name}/lab").text)


def test_a_route_that_could_not_be_deleted_is_gone_while_the_next_start_waits(
    slurm: Slurm, login: Machine, alice: Visitor
) -> None:
    token = alice.token()
    with running(slurm, alice) as session, ExitStack() as later:
        old = target(login, "alice")
        with faults.stopped_unit(login, "berth-proxy"):
            slurm.cancel(session.job_id)
            until(lambda: not kept(login, "alice").server, "a hub that has let go", 60)
            assert "did not change the route of alice" in login.journal("-60s", "berth-hub")
            blockers = later.enter_context(full_nodes(slurm))
            # Past the proxy, which gives no answer.
            assert login.python(START_BY_HUB, "alice", token, json.dumps(dict(SMALL))) == HTTPStatus.ACCEPTED
        until(lambda: target(login, "alice") == "", "no route", 30)
        assert (alice.server() or {}).get("pending") == "spawn"
        assert alice.http.get("/user/alice/lab").url.path.startswith("/hub/")
        slurm.cancel(*blockers)
        alice.wait_ready()
        settled(login, slurm, alice)
        assert target(login, "alice") not in {"", old}


def test_a_route_that_a_killed_hub_left_is_gone_while_the_next_start_waits(
    slurm: Slurm, login: Machine, alice: Visitor
) -> None:
    with full_nodes(slurm) as blockers, stranger(Machine(OPEN_NODE.name)) as elsewhere:
        job_id = started(slurm, alice)
        route = {"target": elsewhere, "user": "alice", "server_name": ""}
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
        assert target(login, "alice") not in {"", elsewhere}
        assert STRANGER not in shown(alice)
