from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from berth.helper import __main__ as server
from berth.helper import slurm
from berth.helper.client import (
    MAX_LOGINS,
    CancelResult,
    EstimateResult,
    ExtendResult,
    HelperClient,
    PasswordResult,
    PasswordVerdict,
    Resources,
    SubmitResult,
    Verdict,
)
from berth.helper.protocol import MAX_BYTES, success
from tests.unit.helper.requests import JOB_NAME, RESOURCES, valid

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from berth.helper.settings import Settings

    Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
    Start = Callable[[Behaviour], Awaitable[HelperClient]]

RESULT = Resources(**RESOURCES)
ENVIRONMENT = {"JUPYTERHUB_API_TOKEN": "a secret", "BERTH_PORT_RANGE": "40000-49999"}


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    async with contextlib.AsyncExitStack() as stack:

        async def serve(behaviour: Behaviour) -> HelperClient:
            path = tmp_path / "s"
            running = await asyncio.start_unix_server(behaviour, path)
            stack.callback(running.close)
            return HelperClient(path, timeout=5)

        yield serve


def replies(answer: object, seen: list[Any] | None = None) -> Behaviour:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        document = await reader.read(-1)
        if seen is not None:
            seen.append(json.loads(document))
        writer.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode())
        writer.close()

    return behave


def submit(client: HelperClient) -> Awaitable[SubmitResult]:
    return client.submit("alice", JOB_NAME, "4.6-1", RESULT, ENVIRONMENT)


async def test_requests_are_what_the_helper_reads(start: Start) -> None:
    seen: list[Any] = []
    client = await start(replies({"ok": True, "job_id": 12, "text": "soon"}, seen))
    assert await client.check_password("alice", "pass word") == PasswordResult(PasswordVerdict.OK)
    assert await submit(client) == SubmitResult(Verdict.OK, 12)
    assert await client.cancel("alice", 12) == CancelResult(Verdict.OK)
    assert await client.estimate("alice", RESULT) == EstimateResult(Verdict.OK, "soon")
    assert await client.check_account("alice") == PasswordResult(PasswordVerdict.OK)
    assert await client.extend("alice", 12, JOB_NAME, 240) == ExtendResult(Verdict.OK)
    assert seen == valid("alice")


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        ("refused", Verdict.REFUSED),
        ("unknown", Verdict.UNKNOWN),
        ("bad-request", Verdict.UNAVAILABLE),
        ("not-permitted", Verdict.UNAVAILABLE),
        ("not-run", Verdict.UNAVAILABLE),
        ("slurm-away", Verdict.UNAVAILABLE),
        ("home-full", Verdict.UNAVAILABLE),
    ],
)
async def test_a_no_keeps_its_words(start: Start, error: str, verdict: Verdict) -> None:
    client = await start(replies({"ok": False, "error": error, "message": "Because."}))
    assert await submit(client) == SubmitResult(verdict, message="Because.", error=error)
    assert await client.cancel("alice", 12) == CancelResult(verdict, "Because.")
    assert await client.estimate("alice", RESULT) == EstimateResult(verdict, message="Because.", error=error)
    assert await client.extend("alice", 12, JOB_NAME, 240) == ExtendResult(verdict, "Because.")


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        ("wrong-password", PasswordVerdict.WRONG),
        ("rate-limited", PasswordVerdict.RATE_LIMITED),
        ("not-in-group", PasswordVerdict.NOT_IN_GROUP),
        ("not-allowed", PasswordVerdict.NOT_ALLOWED),
        ("bad-request", PasswordVerdict.WRONG),
        ("not-permitted", PasswordVerdict.UNAVAILABLE),
        ("unknown", PasswordVerdict.UNAVAILABLE),
        ("ok", PasswordVerdict.UNAVAILABLE),
        ("something new", PasswordVerdict.UNAVAILABLE),
    ],
)
async def test_only_ok_lets_in(start: Start, error: str, verdict: PasswordVerdict) -> None:
    client = await start(replies({"ok": False, "error": error, "message": "Because."}))
    assert await client.check_password("alice", "x") == PasswordResult(verdict, "Because.")


async def test_without_a_helper_nothing_was_done(tmp_path: Path) -> None:
    client = HelperClient(tmp_path / "none", timeout=5)
    assert (await submit(client)).verdict is Verdict.UNAVAILABLE
    assert (await client.check_password("alice", "x")).verdict is PasswordVerdict.UNAVAILABLE


async def test_without_a_free_file_descriptor_nothing_was_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("berth.helper.client.socket.socket", exhausted)
    answer = await HelperClient(tmp_path / "s", timeout=5).cancel("alice", 7)
    assert answer.verdict is Verdict.UNAVAILABLE
    assert "Too many open files" in answer.message


async def test_a_socket_without_a_listener_is_unavailable(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(tmp_path / "s"))
    assert (await submit(HelperClient(tmp_path / "s", timeout=5))).verdict is Verdict.UNAVAILABLE


async def test_a_helper_that_closes_before_it_reads_did_nothing(start: Start) -> None:
    """As when it cannot start, or when systemd has reached MaxConnections."""

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    client = await start(behave)
    for _ in range(20):
        assert (await submit(client)).verdict is Verdict.UNAVAILABLE


async def test_a_listener_that_never_accepts_and_goes_away_did_nothing(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        question = asyncio.ensure_future(submit(HelperClient(path, timeout=5)))
        await asyncio.sleep(0.2)
    assert (await question).verdict is Verdict.UNAVAILABLE


async def test_a_request_that_is_too_large_is_not_sent(start: Start) -> None:
    seen: list[Any] = []
    client = await start(replies({"ok": True}, seen))
    large = {"BERTH_A": "a" * MAX_BYTES}
    result = await client.submit("alice", JOB_NAME, "4.6-1", RESULT, large)
    assert result.verdict is Verdict.UNAVAILABLE
    assert seen == []


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"[" * 60000,
        b"{}",
        b'{"ok": 1, "job_id": 12}',
        b'{"ok": "true", "job_id": 12}',
        b'{"ok": false}',
        b'{"ok": false, "error": "refused"}',
        b'{"ok": false, "error": 1, "message": "x"}',
        b'{"ok": true}',
        b'{"ok": true, "job_id": "12"}',
        b'{"ok": true, "job_id": true}',
        b'{"ok": true, "job_id": 12}' + b" " * MAX_BYTES,
    ],
)
async def test_an_answer_that_is_not_one_leaves_it_open(start: Start, answer: bytes) -> None:
    client = await start(replies(answer))
    result = await submit(client)
    assert result.verdict is Verdict.UNKNOWN
    assert result.job_id is None
    assert result.message


async def test_a_helper_that_dies_with_the_whole_request_leaves_it_open(start: Start) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.transport.abort()

    client = await start(behave)
    assert (await submit(client)).verdict is Verdict.UNKNOWN
    assert (await client.check_password("alice", "x")).verdict is PasswordVerdict.UNAVAILABLE


async def test_silence_ends_with_the_time_limit_and_leaves_it_open(start: Start, tmp_path: Path) -> None:
    async def behave(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        await asyncio.sleep(1)

    await start(behave)
    result = await submit(HelperClient(tmp_path / "s", timeout=0.2))
    assert result == SubmitResult(Verdict.UNKNOWN, message="The helper gave no answer within 0.2 seconds.")


async def test_a_flood_of_logins_leaves_room_for_sessions(start: Start, tmp_path: Path) -> None:
    busy = most = 0
    full, release = asyncio.Event(), asyncio.Event()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal busy, most
        if b"check-password" in await reader.read(-1):
            busy += 1
            most = max(most, busy)
            if busy == MAX_LOGINS:
                full.set()
            await release.wait()
            busy -= 1
        writer.write(b'{"ok": true, "job_id": 12}')
        writer.close()

    await start(behave)
    client = HelperClient(tmp_path / "s", timeout=60)
    logins = [asyncio.ensure_future(client.check_password("alice", "x")) for _ in range(MAX_LOGINS + 20)]
    await full.wait()
    assert (await submit(client)).verdict is Verdict.OK
    release.set()
    assert {result.verdict for result in await asyncio.gather(*logins)} == {PasswordVerdict.OK}
    assert most == MAX_LOGINS


async def test_a_login_does_not_wait_for_ever_behind_others(tmp_path: Path) -> None:
    client = HelperClient(tmp_path / "s", timeout=0.1)
    for _ in range(MAX_LOGINS):
        await client._logins.acquire()
    result = await client.check_password("alice", "x")
    assert result == PasswordResult(PasswordVerdict.UNAVAILABLE, "Too many logins at once. Try again.")


async def test_the_answer_may_come_in_pieces(start: Start) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        for byte in b'{"ok": true, "job_id": 12}':
            writer.write(bytes([byte]))
            await asyncio.sleep(0.001)
        writer.close()

    assert await submit(await start(behave)) == SubmitResult(Verdict.OK, 12)


async def test_client_and_helper_understand_each_other(
    settings: Settings, ordinary: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm, "submit", lambda *_: success(job_id=77))
    path = tmp_path / "s"

    def serve_one(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            server.serve(connection, settings)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        helper = asyncio.get_running_loop().run_in_executor(None, serve_one, listener)
        client = HelperClient(path, timeout=5)
        result = await client.submit(ordinary, JOB_NAME, "4.6-1", RESULT, ENVIRONMENT)
        await helper
    assert result == SubmitResult(Verdict.OK, 77)


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        ("no-account", PasswordVerdict.NO_ACCOUNT),
        ("bad-request", PasswordVerdict.NO_ACCOUNT),
        ("not-in-group", PasswordVerdict.NOT_IN_GROUP),
        ("not-allowed", PasswordVerdict.NOT_ALLOWED),
        ("rate-limited", PasswordVerdict.UNAVAILABLE),
        ("unknown", PasswordVerdict.UNAVAILABLE),
    ],
)
async def test_what_is_said_of_an_account_is_known(
    start: Start, error: str, verdict: PasswordVerdict
) -> None:
    client = await start(replies({"ok": False, "error": error, "message": "Why."}))
    assert await client.check_account("alice") == PasswordResult(verdict, "Why.")


async def test_a_helper_that_cannot_be_asked_lets_nobody_in() -> None:
    result = await HelperClient("/nowhere/s", timeout=5).check_account("alice")
    assert result.verdict is PasswordVerdict.UNAVAILABLE
