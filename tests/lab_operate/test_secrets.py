"""Secrets are made anew while a session runs; what it costs users is what docs/operate/secrets.md says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.lab.hub import HUB_SECONDS, hub_answers
from tests.lab.notebook import Kernel
from tests.lab.playbooks import attempt, play
from tests.lab.sessions import Session, running, session_jobs
from tests.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

COOKIES, PROXY = "/var/lib/berth-hub/cookie_secret", "/etc/berth/proxy.env"
CERTIFICATE, KEY, CA = "/etc/berth/tls/hub.crt", "/etc/berth/tls/hub.key", "/etc/berth/tls/ca.crt"
SERVICES = ("/etc/berth/metrics.env", "/etc/berth/operator.env")
FILES = (COOKIES, PROXY, *SERVICES, CERTIFICATE, KEY, CA)
ROUTES = """
import json, sys, urllib.error, urllib.request
headers = {"Authorization": "token " + sys.argv[1]}
asked = urllib.request.Request("http://127.0.0.1:8001/api/routes", headers=headers)
try:
    status = urllib.request.urlopen(asked).status
except urllib.error.HTTPError as error:
    status = error.code
print(json.dumps(status))
"""
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def session(slurm: Slurm, alice: Visitor) -> Iterator[Session]:
    with running(slurm, alice) as session:
        yield session


@pytest.fixture(scope="module")
def kernel(session: Session) -> Iterator[Kernel]:
    with Kernel.start(session.visitor) as kernel:
        kernel.run("here = 'still'")
        yield kernel


def digests(login: Machine) -> dict[str, str]:
    rows = login.run("sha256sum", *FILES).splitlines()
    return {path: digest for digest, path in (row.split() for row in rows)}


def log_in_again(visitor: Visitor) -> None:
    assert visitor.http.get("/hub/home").url.path == "/hub/login"
    assert visitor.log_in().status_code == 200


def test_a_name_that_is_no_secret_is_refused_and_nothing_is_changed(login: Machine) -> None:
    before = digests(login)
    answer = attempt("rotate", {"hub_rotate": ["cookie"]})
    assert answer.status != 0
    assert "cookies, proxy, services, tokens, certificate, database" in answer.said
    assert digests(login) == before


def test_a_new_secret_of_cookies_asks_everybody_to_log_in_and_nothing_more(
    slurm: Slurm, login: Machine, session: Session, kernel: Kernel
) -> None:
    before = digests(login)
    with kernel.attended():
        play("rotate", {"hub_rotate": ["cookies"]})
    assert {path for path, digest in digests(login).items() if digest != before[path]} == {COOKIES}
    assert login.run("stat", "-c", "%a %U %s", COOKIES) == "600 berth-hub 65"
    until(lambda: hub_answers(session.visitor), "a hub that answers", HUB_SECONDS)
    assert kernel.run("print(here)") == "still", "an open notebook was cut"
    log_in_again(session.visitor)
    session.visitor.wait_ready()
    assert session.visitor.open_session().url.path.startswith("/user/alice/lab")
    assert session_jobs(slurm, "alice") == [session.job_id]


def test_all_secrets_at_once_end_no_session(
    slurm: Slurm, login: Machine, session: Session, kernel: Kernel
) -> None:
    visitor, before = session.visitor, digests(login)
    token = visitor.token()
    old = login.run("cat", PROXY).partition("=")[2]
    services = [login.run("cat", path).partition("=")[2] for path in SERVICES]
    assert [whoami(visitor, item) for item in services] == [200, 200]
    assert whoami(visitor, token) == 200
    assert login.python(ROUTES, old) == 200
    play("rotate")
    assert {path for path, digest in digests(login).items() if digest == before[path]} == {CA}
    until(lambda: hub_answers(visitor), "a hub that answers", HUB_SECONDS)
    assert login.python(ROUTES, old) == 403
    assert whoami(visitor, token) == 403, "a token that was revoked is taken"
    assert [whoami(visitor, item) for item in services] == [403, 403]
    assert '"alice"' in login.run("berth", "sessions", "--json")
    log_in_again(visitor)
    visitor.wait_ready()
    assert visitor.open_session().url.path.startswith("/user/alice/lab")
    assert session_jobs(slurm, "alice") == [session.job_id]
    # The connection was cut with the proxy; what ran in the kernel is still there.
    kernel.reconnect()
    assert kernel.run("print(here)") == "still"


def whoami(visitor: Visitor, token: str) -> int:
    """The status with which the hub's API answers a token."""
    url = f"{visitor.http.base_url}/hub/api/user"
    with httpx.Client(verify=visitor.context, trust_env=False) as client:
        return client.get(url, headers={"Authorization": f"token {token}"}).status_code


def test_the_next_run_finds_everything_as_it_shall_be(session: Session) -> None:
    session.visitor.wait_ready()
    assert set(play("hub").changes.values()) == {0}
