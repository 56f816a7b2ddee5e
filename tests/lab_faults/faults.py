"""Real faults for the tests: processes are killed, stopped or replaced. And what the hub keeps meanwhile."""

from __future__ import annotations

import contextlib
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from tests.lab import pages
from tests.lab.sessions import session_jobs
from tests.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

SETTLED_SECONDS = 90.0
HELPER_SOCKET = "/run/berth/helper.sock"
COLLECTOR = "[b]erth.hub.collector.process"
"""A pattern of its command line, which the command that looks for it does not fit."""

_KEPT = """
import json, sqlite3, sys
database = sqlite3.connect("file:/var/lib/berth-hub/hub.sqlite?mode=ro", uri=True, timeout=10)
row = database.execute(
    "SELECT s.server_id, s.state FROM spawners s JOIN users u ON u.id = s.user_id WHERE u.name = ?",
    sys.argv[1:],
).fetchone() or (None, None)
tokens = database.execute(
    "SELECT t.id FROM api_tokens t JOIN users u ON u.id = t.user_id "
    "WHERE u.name = ? AND t.note LIKE 'Server at %'",
    sys.argv[1:],
).fetchall()
state = json.loads(row[1] or "{}") or {}
print(json.dumps({"server": row[0] is not None, "state": state, "tokens": [number for (number,) in tokens]}))
"""
_NOBODY_LISTENS = """
import os, shutil, signal, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
shutil.chown(sys.argv[1], group="berth-hub")
os.chmod(sys.argv[1], 0o660)
listener.listen(8)
print("listening", flush=True)
signal.pause()
"""


@dataclass(frozen=True)
class Kept:
    """What the hub's database has of a user's session."""

    server: bool
    """Whether JupyterHub counts a server."""
    session: dict[str, Any]
    """The record; empty when there is none."""
    abandoned: list[dict[str, Any]]
    tokens: list[int]
    """Row ids of the tokens that were made for sessions."""

    @property
    def phase(self) -> str:
        """How far the session has come; empty when there is none."""
        return str(self.session.get("phase", ""))

    @property
    def job_names(self) -> set[str]:
        """Names of all jobs that the hub looks after."""
        return {f"berth-{record['nonce']}" for record in (self.session, *self.abandoned) if record}


def kept(login: Machine, user: str) -> Kept:
    """Read the hub's database, which may be in use."""
    found = login.python(_KEPT, user)
    state = found["state"]
    return Kept(found["server"], state.get("session") or {}, state.get("abandoned") or [], found["tokens"])


def reached(login: Machine, user: str, phase: str, seconds: float = 30.0) -> Kept:
    """Wait until the record of the user's session is in a phase."""

    until(lambda: kept(login, user).phase == phase, f"a record of {user} that is {phase}", seconds)
    return kept(login, user)


@contextmanager
def frozen(machine: Machine, *patterns: str) -> Iterator[None]:
    """Stop the processes whose command line fits one of the patterns; let them go on at the end."""
    found = [pid for pattern in patterns for pid in machine.run("pgrep", "-f", pattern).split()]
    try:
        machine.run("kill", "-STOP", *found)
        yield
    finally:
        machine.attempt("kill", "-CONT", *found)


@contextmanager
def stopped_unit(machine: Machine, *units: str) -> Iterator[None]:
    """Processes of units that take connections and do not answer."""
    machine.run("systemctl", "kill", "--signal=STOP", *units)
    try:
        yield
    finally:
        machine.run("systemctl", "kill", "--signal=CONT", *units)


@contextmanager
def deaf_helper(login: Machine) -> Iterator[None]:
    """A socket of the helper that takes requests, and nobody reads them."""
    unit, socket = "lab-deaf-helper", "berth-helper.socket"
    dropin = f"/run/systemd/system/{socket}.d"
    # Without it, a hub that starts would start the true socket.
    login.shell(f"mkdir -p {dropin}; printf '[Unit]\\nConditionPathExists=/nowhere\\n' > {dropin}/lab.conf")
    login.run("systemctl", "daemon-reload")
    login.run("systemctl", "stop", socket)
    try:
        script = ("python3", "-c", _NOBODY_LISTENS, HELPER_SOCKET)
        login.run("systemd-run", "--quiet", "--collect", f"--unit={unit}", *script)
        until(lambda: login.attempt("test", "-S", HELPER_SOCKET).rc == 0, "a socket", 10)
        yield
    finally:
        login.attempt("systemctl", "stop", unit)
        login.run("rm", "-rf", HELPER_SOCKET, dropin)
        login.run("systemctl", "daemon-reload")
        login.run("systemctl", "restart", socket)


def processes(machine: Machine, name: str) -> list[str]:
    """Process ids of a program."""
    return str(machine.attempt("pgrep", "-x", name).stdout).split()


def told(visitor: Visitor) -> str:
    """What the page "Your session" says of the session."""
    return pages.text(visitor.http.get("/hub/home"))


def disagreements(login: Machine, slurm: Slurm, visitor: Visitor) -> list[str]:
    """What does not fit together of Slurm's jobs, the hub's record, its tokens, its API and its page."""
    names, found, server = slurm.names(visitor.name), kept(login, visitor.name), visitor.server()
    jobs = session_jobs(slurm, visitor.name)
    wrong = []
    if len(jobs) > 1:
        wrong.append(f"two sessions: {jobs}")
    if orphans := {names[number] for number in jobs} - found.job_names:
        wrong.append(f"jobs that the hub does not know: {orphans}")
    tokens = [found.session["token_id"]] if found.session else []
    if found.tokens != tokens:
        wrong.append(f"tokens {found.tokens} instead of {tokens}")
    if (server is not None) != found.server or found.server != bool(found.session):
        wrong.append(f"the API says {server}, the database {found}")
    # What was submitted without an answer, and is not found, is looked for during an hour.
    if unended := [record["job_id"] for record in found.abandoned if record["job_id"]]:
        wrong.append(f"not ended: {unended}")
    if (server is not None) != bool(jobs):
        wrong.append(f"the API says {server}, Slurm has {jobs}")
    if server is not None and server["ready"] and jobs:
        page = told(visitor)
        said = "Your session is running." in page and f"Job {jobs[0]} " in page
        if not said or slurm.state(jobs[0]) != "RUNNING":
            wrong.append(f"the page says {page!r}, Slurm {slurm.job(jobs[0])}")
    return wrong


def settled(login: Machine, slurm: Slurm, visitor: Visitor, seconds: float = SETTLED_SECONDS) -> None:
    """Wait until nothing is under way for a user, and everything that can be asked says the same."""

    def probe() -> bool:
        server = visitor.server()
        return (server is None or server["ready"]) and not disagreements(login, slurm, visitor)

    try:
        until(probe, f"a settled session of {visitor.name}", seconds)
    except AssertionError as error:
        error.add_note(f"{visitor.server()} {disagreements(login, slurm, visitor)}")
        raise


def gone(login: Machine, slurm: Slurm, visitor: Visitor, seconds: float = SETTLED_SECONDS) -> None:
    """Wait until nothing is left of a user's session anywhere."""
    until(lambda: visitor.server() is None, f"no session of {visitor.name}", seconds)
    settled(login, slurm, visitor, seconds)
    assert slurm.queue(visitor.name) == []
    assert kept(login, visitor.name).tokens == []
    assert visitor.http.get("/").url.path.startswith("/hub/")


def meanwhile(call: Callable[[], object]) -> threading.Thread:
    """Do something that may be cut off, such as a request to a hub that is killed, while the test goes on."""

    def attempt() -> None:
        with contextlib.suppress(httpx.HTTPError):
            call()

    thread = threading.Thread(target=attempt)
    thread.start()
    return thread


def start_by_api(visitor: Visitor, **options: str) -> threading.Thread:
    """Start a session as a program does, without a form; the thread ends with the hub's answer."""
    path = f"users/{visitor.name}/server"
    return meanwhile(lambda: visitor.hub("POST", path, content=json.dumps(options), timeout=60))


def stop_by_api(visitor: Visitor) -> threading.Thread:
    """Stop a session as a program does; the thread ends with the hub's answer."""
    return meanwhile(lambda: visitor.hub("DELETE", f"users/{visitor.name}/server", timeout=60))
