"""The endpoint where sessions report, and the listener that carries it: for a session's own token only."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.machines import NODES, Machine
from tests.lab.sessions import Session, running, said

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

PATH = "/hub/api/berth/session"
STATUS = """
import json, ssl, sys, urllib.request
context = ssl.create_default_context(cafile="/opt/berth/etc/hub-ca.crt")
context.check_hostname = False
try:
    print(json.dumps(urllib.request.urlopen(sys.argv[1], timeout=10, context=context).status))
except urllib.error.HTTPError as error:
    print(json.dumps(error.code))
"""


@pytest.fixture(scope="module")
def session(slurm: Slurm, alice: Visitor) -> Iterator[Session]:
    with running(slurm, alice) as session:
        yield session


@pytest.fixture(scope="module")
def token(session: Session) -> str:
    """The session's own token."""
    return session.node.environment_of(session.server_pid())["JUPYTERHUB_API_TOKEN"]


def report(visitor: Visitor, token: str | None, document: dict[str, Any] | None = None) -> httpx.Response:
    """Send a report as a session does, or without one ask when it ends; without any cookie."""
    headers = {"Authorization": f"token {token}"} if token is not None else {}
    method = "GET" if document is None else "POST"
    request = visitor.http.build_request(method, PATH, json=document, headers=headers)
    request.headers.pop("Cookie", None)
    return visitor.http.send(request)


def test_a_session_may_repeat_its_report(session: Session, token: str) -> None:
    answer = report(session.visitor, token, {"port": session.port(), "ready": True})
    assert answer.status_code == 204, said(answer)
    session.visitor.lab("GET", "kernels").raise_for_status()


def test_a_session_learns_when_slurm_ends_it(session: Session, token: str, slurm: Slurm) -> None:
    answer = report(session.visitor, token)
    assert answer.status_code == 200, said(answer)
    end = dt.datetime.fromtimestamp(answer.json()["end"]).astimezone().replace(tzinfo=None)
    assert end.isoformat() == slurm.job(session.job_id)["EndTime"]


@pytest.mark.parametrize("whose", ["nobody", "wrong", "own but another", "another user"])
def test_any_other_token_is_refused(session: Session, bob: Visitor, whose: str) -> None:
    tokens = {"nobody": None, "wrong": "0" * 32}
    if whose == "own but another":
        tokens[whose] = session.visitor.token()
    elif whose == "another user":
        tokens[whose] = bob.token()
    for document in ({"port": 45000, "ready": True}, None):
        answer = report(session.visitor, tokens[whose], document)
        assert answer.status_code in {403, 404}, said(answer)


def test_a_cookie_is_no_token(session: Session) -> None:
    answer = session.visitor.call("POST", PATH, json={"port": 45000, "ready": True})
    assert answer.status_code in {403, 404}, said(answer)


@pytest.mark.parametrize(
    "document",
    [
        {"port": 22, "ready": True},
        {"port": 39999, "ready": True},
        {"port": 50000, "ready": True},
        {"port": 65536, "ready": True},
        {"port": -1, "ready": True},
        {"port": "45000", "ready": True},
        {"port": 45000.5, "ready": True},
        {"port": True, "ready": True},
        {"port": 45000, "ready": "yes"},
        {"port": 45000},
        {"ready": True},
        {"port": 45000, "ready": True, "ip": "198.51.100.1"},
        {"port": 45000, "ready": True, "host": "login"},
        {},
    ],
    ids=str,
)
def test_ports_out_of_range_and_other_keys_are_refused(
    session: Session, token: str, document: dict[str, Any]
) -> None:
    answer = report(session.visitor, token, document)
    assert answer.status_code == 400, said(answer)


def test_refused_reports_changed_nothing(session: Session) -> None:
    answer = session.visitor.lab("GET", "kernels")
    assert answer.status_code == 200, said(answer)


@pytest.mark.parametrize("path", ["/hub/api/batchspawner", "/hub/api/batchspawner/"])
def test_batchspawner_s_own_entry_does_not_exist(session: Session, token: str, path: str) -> None:
    headers = {"Authorization": f"token {token}"}
    answer = session.visitor.http.post(path, json={"port": 45000}, headers=headers)
    assert answer.status_code == 404, said(answer)


def test_compute_nodes_reach_the_hub_s_api_and_others_do_not(login: Machine) -> None:
    for node in NODES:
        assert Machine(node).python(STATUS, "https://login:8444/hub/api/", user="bob") == 200
    # An address that is not in hub_api_allow: loopback.
    assert login.python(STATUS, "https://127.0.0.1:8444/hub/api/") == 403


@pytest.mark.parametrize("path", ["/", "/hub/login", "/hub/home", "/user/alice/api", "/api/routes"])
def test_compute_nodes_reach_nothing_but_the_api(gpu1: Machine, path: str) -> None:
    assert gpu1.python(STATUS, f"https://login:8444{path}") in {403, 404}
