"""Whatever is sent: one valid answer, no traceback, and nothing done unless the request was exactly right."""

from __future__ import annotations

import contextlib
import copy
import json
import re
import socket
from typing import TYPE_CHECKING, Any
from unittest import mock

from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from berth import journal
from berth.helper import __main__ as server
from berth.helper import accounts, passwords, policy, slurm
from berth.helper.protocol import success
from tests.unit.helper.requests import JOB_NAME, RESOURCES, valid

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from berth.helper.settings import Settings

thorough = hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(
        ["submit", "alice", "root", "../x", "--wrap=id", "a\nb", "a\0b", "\ud800", 2**63, -1, 0, True, 1.0]
    )
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)
KEYS = [
    "verb",
    "user",
    "password",
    "job_name",
    "layer",
    "resources",
    "environment",
    "job_id",
    "minutes",
    *RESOURCES,
]


class Done:
    """What the helper did about one request."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.logins = 0
        self.looks: list[list[str]] = []
        self.passwords = 0

    def run(self, _user: object, argv: list[str], *_: object) -> slurm._Result:
        if argv[0].endswith("/squeue"):  # a look; it says that the job is the one of `valid`
            self.looks.append(argv)
            return slurm._Result(
                0, f"{argv[2].removeprefix('--jobs=')} 2001 interactive RUNNING {JOB_NAME}\n", ""
            )
        self.commands.append(argv)
        return slurm._Result(0, "12\n", "sbatch: Job 12 to start now\n")

    def check(self, *_: object) -> dict[str, object]:
        self.logins += 1
        return success()

    @property
    def anything(self) -> bool:
        return bool(self.commands or self.logins)


@contextlib.contextmanager
def observed() -> Iterator[Done]:
    done = Done()
    everybody = policy.User("alice", 2001, 100, (100,), "/home/alice", "/bin/sh")
    with (
        mock.patch.object(slurm, "_run", done.run),
        mock.patch.object(passwords, "check", done.check),
        mock.patch.object(accounts, "check", done.check),
        mock.patch.object(policy, "find_user", return_value=everybody),
    ):
        yield done


def send(document: bytes, settings: Settings, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(document)
        ours.shutdown(socket.SHUT_WR)
        journal.configure("berth.helper", settings.log_format)
        server.serve(theirs, settings)
        answer = json.loads(ours.recv(2**20))
    log = capsys.readouterr().err
    assert "Traceback" not in log
    assert "failed with" not in log
    assert log.count("\n") == 1
    assert type(answer["ok"]) is bool
    if not answer["ok"]:
        assert answer.keys() == {"ok", "error", "message"}
        assert answer["error"] in {"bad-request", "not-permitted", "refused"}
        assert re.fullmatch(r"[A-Z'].*\.", answer["message"])
    return dict(answer)


@thorough
@given(document=st.binary(max_size=300))
def test_bytes(document: bytes, settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    with observed() as done:
        assert send(document, settings, capsys)["error"] == "bad-request"
    assert not done.anything


@thorough
@given(document=VALUES | st.dictionaries(st.sampled_from(KEYS), VALUES))
def test_documents(document: object, settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    with observed() as done:
        assert send(json.dumps(document).encode(), settings, capsys)["error"] == "bad-request"
    assert not done.anything


@thorough
@given(data=st.data())
def test_a_valid_request_with_a_piece_cut_out_or_put_in(
    data: st.DataObject, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.dumps(data.draw(st.sampled_from(valid("alice")))).encode()
    start = data.draw(st.integers(0, len(document)))
    end = data.draw(st.integers(start, len(document)))
    spoilt = document[:start] + data.draw(st.binary(max_size=3)) + document[end:]
    with observed() as done:
        answer = send(spoilt, settings, capsys)
    assert answer["ok"] == done.anything
    check_commands(done, settings)


@thorough
@given(data=st.data())
def test_a_valid_request_with_one_value_replaced(
    data: st.DataObject, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    fields = copy.deepcopy(data.draw(st.sampled_from(valid("alice"))))
    place = data.draw(
        st.sampled_from([fields, *(value for value in fields.values() if isinstance(value, dict))])
    )
    place[data.draw(st.sampled_from(sorted(place)) | st.text(max_size=20))] = data.draw(VALUES)
    with observed() as done:
        answer = send(json.dumps(fields).encode(), settings, capsys)
    assert answer["ok"] == done.anything
    check_commands(done, settings)


def check_commands(done: Done, settings: Settings) -> None:
    """Whatever was asked for, a command is one program with options that the helper chose."""
    options = re.compile(
        r"--(?:partition=interactive|nodes=1|ntasks=1|cpus-per-task=[0-9]+|mem=[0-9]+M|time=[0-9]+|no-requeue"
        r"|output=/dev/null|chdir=/home/alice|propagate=NONE|gres=gpu:(?:[\w.+-]+:)?[0-9]+|account=[\w.@+-]+"
        r"|reservation=[\w.@+-]+|parsable|export=ALL|job-name=berth-[0-9a-f]{32}|test-only|wrap=true)",
        re.ASCII,
    )
    for program, *arguments in done.looks:
        assert program == f"{settings.slurm_bin_dir}/squeue"
        assert re.fullmatch(
            r"--noheader --jobs=[0-9]+ --format=%i %U %P %T %j", " ".join(arguments), re.ASCII
        )
    for program, *arguments in done.commands:
        if program.endswith("/scontrol"):
            assert re.fullmatch(r"update JobId=[0-9]+ TimeLimit=[0-9]{1,3}", " ".join(arguments), re.ASCII)
            assert int(arguments[-1].rpartition("=")[2]) <= settings.extend_up_to_minutes
            continue
        if program.endswith("/scancel"):
            assert len(arguments) == 1
            assert arguments[0].isdecimal()
            continue
        assert program == f"{settings.slurm_bin_dir}/sbatch"
        if not arguments[-1].startswith("--"):
            script = arguments.pop()
            assert re.fullmatch(r"/opt/berth/layers/[A-Za-z0-9][\w.-]*/bin/berth-session", script, re.ASCII)
        assert all(options.fullmatch(argument) for argument in arguments)
