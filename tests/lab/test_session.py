"""A session from the form: the user's own job with exactly what was asked for, that keeps its secrets."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import time
from typing import TYPE_CHECKING

import pytest
import websocket

from tests.lab import pages
from tests.lab.cluster import COURSE, COURSE_NODE, COURSE_TYPE, PARTITION
from tests.lab.machines import LOGIN, NODES, Machine
from tests.lab.notebook import Kernel, Terminal, connect
from tests.lab.sessions import JOB_NAME, Session, listeners, running, said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

OPTIONS = {
    "reservation": COURSE,
    "account": "proj_b",
    "cores": "2",
    "memory": "2G",
    "gpus": f"{COURSE_TYPE}:1",
    "time": "00:30:00",
}
IDLE_SECONDS = float(os.environ.get("BERTH_IDLE_SECONDS") or 75)
UPLOAD_BYTES = 100_000_000
OPEN_GPUS = """
import errno, glob, json, os
def attempt(path):
    try:
        os.close(os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError as error:
        return errno.errorcode[error.errno]
    return "open"
print(json.dumps({path: attempt(path) for path in sorted(glob.glob("/dev/nvidia[0-9]*"))}))
"""
ASK = """
import json, sys, urllib.request
class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None
try:
    print(json.dumps([urllib.request.build_opener(Stay).open(sys.argv[1], timeout=10).status, ""]))
except urllib.error.HTTPError as error:
    print(json.dumps([error.code, error.headers.get("Location", "")]))
"""


@pytest.fixture(scope="module")
def session(slurm: Slurm, alice: Visitor) -> Iterator[Session]:
    """A session of alice's with one GPU in the reservation of the course."""
    with running(slurm, alice, **OPTIONS) as session:
        yield session


@pytest.fixture(scope="module")
def kernel(session: Session) -> Iterator[Kernel]:
    """A kernel of that session."""
    with Kernel.start(session.visitor) as kernel:
        yield kernel


@pytest.fixture(scope="module")
def idle(session: Session) -> Iterator[tuple[float, Kernel]]:
    """A kernel whose websocket is left alone from now on, and when that was."""
    with Kernel.start(session.visitor) as kernel:
        assert kernel.run("print(6 * 7)") == "42"
        yield time.monotonic(), kernel


@pytest.fixture(scope="module")
def token(session: Session) -> str:
    """The session's own API token, read where only root and alice can: from its process."""
    return session.node.environment_of(session.server_pid())["JUPYTERHUB_API_TOKEN"]


@pytest.mark.usefixtures("idle")  # asked for first, so that it is idle while the others run
def test_the_job_is_the_user_s_own_with_exactly_what_was_asked_for(session: Session) -> None:
    job = session.job
    assert JOB_NAME.fullmatch(job["JobName"])
    assert {name: job[name] for name in ("JobState", "UserId", "Account", "Reservation", "Partition")} == {
        "JobState": "RUNNING",
        "UserId": "alice(2001)",
        "Account": "proj_b",
        "Reservation": COURSE,
        "Partition": PARTITION,
    }
    assert job["NodeList"] == COURSE_NODE.name
    assert job["NumNodes"] == "1"
    assert job["NumTasks"] == "1"
    assert job["CPUs/Task"] == job["NumCPUs"] == "2"
    assert job["MinMemoryNode"] == "2G"
    assert job["TimeLimit"] == "00:30:00"
    assert re.fullmatch(rf"gpu:{COURSE_TYPE}:1\(IDX:\d\)", job["GRES"])
    assert job["Requeue"] == "0"
    assert re.fullmatch(r"/opt/berth/layers/[^/]+/bin/berth-session", job["Command"])


def test_the_bare_url_leads_to_the_running_session(session: Session) -> None:
    page = session.visitor.open_session()
    assert page.status_code == 200, said(page)
    assert page.url.path.startswith("/user/alice/lab")
    assert "token" not in str(page.url)


def test_a_kernel_runs_on_the_node_as_the_user(session: Session, kernel: Kernel) -> None:
    assert kernel.run("import socket; print(socket.gethostname())") == session.node.name
    assert kernel.run("import os; print(os.getuid(), os.getcwd())") == "2001 /home/alice"


def test_a_kernel_opens_the_granted_gpu_and_no_other(session: Session, kernel: Kernel) -> None:
    devices = json.loads(kernel.run(OPEN_GPUS))
    granted = session.job["GRES"].partition("IDX:")[2][0]
    others = set(COURSE_NODE.all_devices) - {f"/dev/nvidia{granted}"}
    assert others
    assert devices == {f"/dev/nvidia{granted}": "open", **dict.fromkeys(others, "EPERM")}
    assert kernel.run("import os; print(os.environ['CUDA_VISIBLE_DEVICES'])") == "0"


@pytest.mark.parametrize("where", ["kernel", "terminal"])
def test_kernels_and_terminals_get_neither_the_token_nor_slurm_s_variables(
    session: Session, kernel: Kernel, token: str, where: str
) -> None:
    if where == "kernel":
        environment = kernel.value("dict(__import__('os').environ)")
    else:
        with Terminal(session.visitor) as terminal:
            lines = terminal.run("env").splitlines()
        environment = dict(line.split("=", 1) for line in lines if "=" in line)
    assert environment["HOME"] == "/home/alice"
    assert environment["BERTH_JOB_ID"] == str(session.job_id)
    assert "JUPYTERHUB_API_TOKEN" not in environment
    assert token not in environment.values()
    assert [name for name in environment if name.startswith(("SLURM", "SBATCH", "SRUN"))] == []


def test_a_user_s_own_sbatch_works_from_a_kernel(slurm: Slurm, kernel: Kernel) -> None:
    job_id = int(
        kernel.run(
            f"import subprocess; print(subprocess.run(['sbatch', '--parsable', '-p', '{PARTITION}', '-A', "
            "'proj_a', '--mem=50M', '--time=1', '--output=/dev/null', '--wrap=true'], "
            "check=True, capture_output=True, text=True).stdout)"
        )
    )
    slurm.wait_for(job_id, "COMPLETED")
    assert slurm.job(job_id)["MinMemoryNode"] == "50M"


def test_the_token_is_nowhere_but_in_the_session(session: Session, token: str) -> None:
    job_id = str(session.job_id)
    login = Machine(LOGIN)
    seen = {
        "scontrol": login.run("scontrol", "show", "job", "-d", job_id),
        "script": login.run("scontrol", "write", "batch_script", job_id, "-"),
        "accounting": login.run("sacct", "-j", job_id, "--env-vars")
        + login.run("sacct", "-j", job_id, "--batch-script")
        + login.run("sacct", "-j", job_id, "-P", "-o", "ALL"),
        "log": login.shell("cat /home/alice/.berth/log/*"),
    }
    for name in (LOGIN, *NODES):
        seen[f"processes of {name}"] = Machine(name).run("ps", "-e", "-ww", "-o", "args")
        seen[f"journal of {name}"] = Machine(name).journal("-30min")
    assert "berth.session" in seen[f"processes of {session.node.name}"]
    assert "session starts" in seen["log"]
    assert [place for place, text in seen.items() if token in text] == []
    places = ("/home", "/opt/berth", "/var/log", "/etc", "/run")
    found = login.attempt("grep", "-rlsF", "--devices=skip", "--", token, *places)
    assert found.stdout == ""


def test_the_database_does_not_hold_the_token(session: Session, token: str, login: Machine) -> None:
    assert session.job_id
    found = login.attempt("grep", "-rlaF", "--", token, "/var/lib/berth-hub")
    assert found.stdout == ""


def test_only_the_session_s_port_listens_and_it_wants_a_token(
    session: Session, kernel: Kernel, slurm: Slurm
) -> None:
    assert kernel.run("print(1)") == "1"
    rows = listeners(session.node, "2001")
    port = session.port()
    assert 40000 <= port <= 49999
    assert len(rows) == 1, "something else of the session listens on TCP"
    base = f"http://{session.node.name}:{port}/user/alice"
    for path in ("api/kernels", "api/contents", "api/terminals", "api/sessions", "files/.bashrc"):
        status, location = slurm.login.python(ASK, f"{base}/{path}", user="bob")
        assert status in {302, 401, 403}, f"{path}: {status}"
        assert status != 302 or "/oauth2/authorize" in location, location
    status, location = slurm.login.python(ASK, f"{base}/lab", user="bob")
    assert status == 302
    assert "/hub/api/oauth2/authorize" in location


def test_kernels_talk_over_sockets_that_only_their_user_reaches(session: Session, kernel: Kernel) -> None:
    path = kernel.run("import ipykernel.connect; print(ipykernel.connect.get_connection_file())")
    info = kernel.value(f"json.load(open({path!r}))")
    assert info["transport"] == "ipc"
    directory = session.node.run("dirname", info["ip"])
    assert session.node.run("stat", "-c", "%a %U", directory) in {"700 alice", "1700 alice"}
    assert session.node.attempt("ls", directory, user="bob").rc != 0


def test_another_user_cannot_open_the_session(session: Session, kernel: Kernel, bob: Visitor) -> None:
    for path in ("/user/alice/lab", "/user/alice/api/kernels", "/user/alice/files/.bashrc"):
        answer = bob.http.get(path)
        assert answer.status_code in {403, 404}, said(answer)
        assert "JupyterLab" not in answer.text
    with pytest.raises(websocket.WebSocketBadStatusException) as refusal:
        connect(bob, f"/user/alice/api/kernels/{kernel.id}/channels")
    assert refusal.value.status_code in {302, 403}
    assert bob.hub("DELETE", "users/alice/server").status_code in {403, 404}
    assert bob.hub("GET", "users/alice").status_code in {403, 404}
    assert session.visitor.server() is not None


def test_a_hundred_megabytes_go_up_through_the_proxy(session: Session) -> None:
    path = "berth-upload.bin"
    content = os.urandom(UPLOAD_BYTES)
    model = {
        "type": "file",
        "format": "base64",
        "name": path,
        "path": path,
        "content": base64.b64encode(content).decode(),
    }
    try:
        answer = session.visitor.lab("PUT", f"contents/{path}", json=model, timeout=180)
        assert answer.status_code == 201, said(answer)
        digest = session.node.run("sha256sum", f"/home/alice/{path}").split()[0]
        assert digest == hashlib.sha256(content).hexdigest()
    finally:
        session.node.run("rm", "-f", f"/home/alice/{path}")


def test_scripts_come_compressed_and_what_holds_secrets_does_not(session: Session) -> None:
    http, user = session.visitor.http, session.visitor.name
    page = http.get(f"/user/{user}/lab")
    script = pages.parse(page).select("script[src*='/static/lab/']")[0]["src"]
    assert http.get(str(script)).headers["Content-Encoding"] == "gzip"
    for path in (f"/user/{user}/lab", f"/user/{user}/api/contents", "/hub/home"):
        assert "Content-Encoding" not in http.get(path).headers


def test_the_page_home_offers_to_stop_the_session(session: Session) -> None:
    page = session.visitor.http.get("/hub/home")
    assert "stop my server" in pages.text(page).lower()


def test_an_idle_websocket_stays(idle: tuple[float, Kernel]) -> None:
    since, kernel = idle
    # Nothing to wait for but the time itself: most of it has passed during the other tests.
    time.sleep(max(0.0, since + IDLE_SECONDS - time.monotonic()))
    assert kernel.run("print(6 * 7)") == "42"


def test_the_front_waits_a_quarter_of_an_hour_for_idle_connections(login: Machine) -> None:
    configuration = login.run("/usr/sbin/nginx", "-T", "-c", "/etc/berth/nginx.conf", "-g", "pid /dev/null;")
    limits = re.findall(r"proxy_(?:read|send)_timeout\s+(\d+)([smh]?);", configuration)
    units = {"": 1, "s": 1, "m": 60, "h": 3600}
    assert len(limits) >= 2
    assert min(int(number) * units[unit] for number, unit in limits) >= 15 * 60
    body = re.search(r"client_max_body_size\s+(\d+)m;", configuration)
    assert body is not None
    assert int(body[1]) >= 200
