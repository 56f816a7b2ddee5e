"""One request from the first byte to the answer, over real sockets and with real processes."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from berth import journal
from berth.helper import __main__ as server
from berth.helper import accounts, passwords, policy, slurm
from berth.helper.protocol import MAX_BYTES, Answer, success
from tests.unit.helper.conftest import needs_root
from tests.unit.helper.requests import JOB_NAME, valid

if TYPE_CHECKING:
    from collections.abc import Callable

    from berth.helper.settings import Settings
    from tests.unit.helper.conftest import Programs

SOURCES = str(Path(server.__file__).parents[2])


def converse(settings: Settings, document: bytes, *, shut: bool = True) -> dict[str, Any]:
    """Send a request to the helper in this process and read everything that it answers."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        thread = threading.Thread(target=server.serve, args=(theirs, settings))
        thread.start()
        ours.sendall(document)
        if shut:
            ours.shutdown(socket.SHUT_WR)
        thread.join(30)
        theirs.shutdown(socket.SHUT_RDWR)
        answer = json.loads(b"".join(iter(lambda: ours.recv(MAX_BYTES), b"")))
    assert isinstance(answer, dict)
    return answer


def ask(settings: Settings, fields: object) -> dict[str, Any]:
    return converse(settings, json.dumps(fields).encode())


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note what would be done instead of doing it."""
    done: list[str] = []

    def verb(name: str) -> Callable[..., Answer]:
        def act(*_: object) -> Answer:
            done.append(name)
            return success()

        return act

    for name in ("submit", "cancel", "estimate", "extend"):
        monkeypatch.setattr(slurm, name, verb(name))
    monkeypatch.setattr(passwords, "check", verb("check"))
    monkeypatch.setattr(accounts, "check", verb("account"))
    return done


def test_every_verb_is_done_once(settings: Settings, ordinary: str, calls: list[str]) -> None:
    assert [ask(settings, fields) for fields in valid(ordinary)] == [{"ok": True}] * 6
    assert calls == ["check", "submit", "cancel", "estimate", "account", "extend"]


@pytest.mark.parametrize("name", ["root", "berth-no-such-user"])
def test_nothing_is_submitted_for_root_or_strangers(settings: Settings, calls: list[str], name: str) -> None:
    for fields in valid(name)[1:4]:
        answer = ask(settings, fields)
        assert answer == {
            "ok": False,
            "error": "not-permitted",
            "message": "There is no such user of this service.",
        }
    assert calls == []


def test_nothing_is_submitted_outside_the_group(settings: Settings, ordinary: str, calls: list[str]) -> None:
    closed = dataclasses.replace(settings, allowed_group="berth-no-such-group")
    assert {ask(closed, fields)["error"] for fields in valid(ordinary)[1:4]} == {"not-permitted"}
    assert calls == []


def test_another_peer_gets_nothing_whatever_it_asks(
    settings: Settings, ordinary: str, calls: list[str]
) -> None:
    private = dataclasses.replace(settings, peer_user="berth-no-such-user")
    for document in [b"", b"{", *(json.dumps(fields).encode() for fields in valid(ordinary))]:
        assert converse(private, document)["error"] == "not-permitted"
    assert calls == []


@pytest.mark.parametrize("size", [MAX_BYTES + 1, 2 * MAX_BYTES])
def test_an_endless_request_is_refused(settings: Settings, calls: list[str], size: int) -> None:
    answer = converse(settings, b" " * size, shut=False)
    assert answer["error"] == "bad-request"
    assert "larger" in answer["message"]
    assert calls == []


def test_a_request_that_does_not_end_is_not_acted_upon(
    settings: Settings, ordinary: str, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "READ_SECONDS", 0.2)
    answer = converse(settings, json.dumps(valid(ordinary)[2]).encode(), shut=False)
    assert answer["error"] == "bad-request"
    assert "in time" in answer["message"]
    assert calls == []


def test_a_fault_of_the_helper_is_unknown_and_its_journal_holds_no_value(
    settings: Settings, ordinary: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(valid("")[1]["environment"])

    monkeypatch.setattr(slurm, "submit", fail)
    journal.configure("berth.helper", settings.log_format)
    assert ask(settings, valid(ordinary)[1])["error"] == "unknown"
    log = capsys.readouterr().err
    assert "RuntimeError" in log
    assert "in perform" in log
    assert "a secret" not in log


def test_one_line_is_logged_without_secrets(
    settings: Settings, ordinary: str, calls: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    journal.configure("berth.helper", settings.log_format)
    for fields in valid(ordinary):
        ask(settings, fields)
    ask(settings, {**valid("hunter2")[0]})
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(calls) == 7
    nonce = JOB_NAME.removeprefix("berth-")
    assert f" event=helper verb=submit user={ordinary} session={nonce} ok=true seconds=" in lines[1]
    assert f" event=helper verb=cancel user={ordinary} job_id=12 ok=true seconds=" in lines[2]
    assert "user=(unknown)" in lines[6]
    assert not any(word in line for line in lines for word in ("pass word", "a secret", "hunter2"))


def test_a_peer_that_does_not_wait_for_the_answer_does_no_harm(
    settings: Settings, ordinary: str, calls: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = socket.socketpair()
    ours.sendall(json.dumps(valid(ordinary)[2]).encode())
    ours.close()
    with theirs:
        server.serve(theirs, settings)
    assert calls == ["cancel"]
    assert "could not be sent" in capsys.readouterr().err


class Child:
    """The helper as systemd starts it: the connection is its standard input and output."""

    def __init__(self, tmp_path: Path, settings: Settings, code: str = "") -> None:
        path = tmp_path / "helper.json"
        path.write_text(json.dumps(dataclasses.asdict(settings)))
        self.connection, theirs = socket.socketpair()
        program = (
            code or "import runpy; runpy.run_module('berth.helper', run_name='__main__', alter_sys=True)"
        )
        with theirs:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-I",
                    "-c",
                    f"import sys; sys.path.insert(0, {SOURCES!r}); {program}",
                    str(path),
                ],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.PIPE,
                encoding="utf-8",
            )

    def ask(self, fields: object) -> tuple[dict[str, Any], str]:
        with self.connection as connection:
            connection.sendall(json.dumps(fields).encode())
            connection.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: connection.recv(MAX_BYTES), b""))
        _, log = self.process.communicate(timeout=30)
        return json.loads(answer), log


@needs_root
def test_a_process_submits_as_the_user(
    tmp_path: Path, settings: Settings, ordinary: str, programs: Programs
) -> None:
    programs.write("sbatch", "echo 12\n")
    answer, log = Child(tmp_path, settings).ask(valid(ordinary)[1])
    assert answer == {"ok": True, "job_id": 12}
    seen = programs.seen()
    user = policy.find_user(ordinary, settings)
    assert (seen.uid, seen.gid, seen.groups) == (user.uid, user.gid, set(user.groups))
    assert seen.environment["JUPYTERHUB_API_TOKEN"] == "a secret"
    assert f"--job-name={JOB_NAME}" in seen.argv
    assert log.count("\n") == 1
    assert "a secret" not in log


def test_a_process_refuses_and_ends(tmp_path: Path, settings: Settings) -> None:
    child = Child(tmp_path, settings)
    answer, log = child.ask({"verb": "submit"})
    assert answer["error"] == "bad-request"
    assert " event=helper verb=none ok=false error=bad-request msg=" in log
    assert child.process.returncode == 0


def test_what_a_library_prints_does_not_get_into_the_answer(tmp_path: Path, settings: Settings) -> None:
    code = (
        "from berth.helper import __main__ as m, policy; import os; "
        "policy.check_peer = lambda *_: os.write(1, b'a greeting'); sys.exit(m.main(sys.argv[1:]))"
    )
    answer, log = Child(tmp_path, settings, code).ask({})
    assert answer["error"] == "bad-request"
    assert "a greeting" in log


def test_without_valid_settings_nothing_is_read(tmp_path: Path, settings: Settings) -> None:
    child = Child(tmp_path, dataclasses.replace(settings, min_uid=0))
    with child.connection as connection:
        connection.sendall(b"{}")
        _, log = child.process.communicate(timeout=30)
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    assert child.process.returncode == 1
    assert "min_uid" in log


def test_the_deadline_answers_for_work_that_is_stuck(tmp_path: Path, settings: Settings) -> None:
    """A library that never returns: here a read of a pipe that nobody writes to."""
    code = (
        "from berth.helper import __main__ as m; import os; m.SPARE_SECONDS = -19.5; "
        "m.answer = lambda peer, _: (m._read(peer), os.read(os.pipe()[0], 1)); sys.exit(m.main(sys.argv[1:]))"
    )
    started = time.monotonic()
    answer, log = Child(tmp_path, settings, code).ask({})
    assert answer == {"ok": False, "error": "unknown", "message": "The helper did not finish in time."}
    assert time.monotonic() - started < 15
    assert "deadline" in log


def test_the_module_runs_by_its_name(tmp_path: Path) -> None:
    """The unit's command line, with settings that are not there."""
    result = subprocess.run(
        [sys.executable, "-m", "berth.helper", tmp_path / "none.json"],
        env={**os.environ, "PYTHONPATH": SOURCES},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert result.returncode == 1
    assert "none.json" in result.stderr
    assert result.stdout == ""
