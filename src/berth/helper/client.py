"""The hub's side of the helper: typed questions, typed answers, and never a guess about what was done.

The methods of `HelperClient` do not raise for anything that the helper, its socket or Slurm may do; every
answer carries a verdict. The two errors below say what the transport knows and are used inside only.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import socket
from typing import TYPE_CHECKING, Any

from berth.helper.answers import (
    CancelResult,
    EstimateResult,
    ExtendResult,
    PasswordResult,
    PasswordVerdict,
    SubmitResult,
    Verdict,
)
from berth.helper.protocol import MAX_BYTES, Resources

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

__all__ = [
    "CancelResult",
    "EstimateResult",
    "ExtendResult",
    "HelperClient",
    "HelperError",
    "HelperUnansweredError",
    "HelperUnavailableError",
    "PasswordResult",
    "PasswordVerdict",
    "Resources",
    "SubmitResult",
    "Verdict",
]


MAX_LOGINS = 32
"""Password checks at a time: wrong ones are slow on purpose and must not crowd out the sessions' requests."""


class HelperError(Exception):
    """No answer came from the helper."""


class HelperUnavailableError(HelperError):
    """The helper did not get the whole request: it is certain that nothing was done."""


class HelperUnansweredError(HelperError):
    """The helper got the request and gave no answer: it may or may not have acted."""


_PASSWORD_ERRORS = {
    "wrong-password": PasswordVerdict.WRONG,
    "bad-request": PasswordVerdict.WRONG,  # no account is called that, no password looks like that
    "rate-limited": PasswordVerdict.RATE_LIMITED,
    "not-in-group": PasswordVerdict.NOT_IN_GROUP,
    "not-allowed": PasswordVerdict.NOT_ALLOWED,
}

_ACCOUNT_ERRORS = {
    "no-account": PasswordVerdict.NO_ACCOUNT,
    "bad-request": PasswordVerdict.NO_ACCOUNT,  # no account is called that
    "not-in-group": PasswordVerdict.NOT_IN_GROUP,
    "not-allowed": PasswordVerdict.NOT_ALLOWED,
}

_VERDICTS = {"refused": Verdict.REFUSED, "unknown": Verdict.UNKNOWN}
"""Every other error is a reason of the helper's own, and says that nothing was done."""


class HelperClient:
    """Asks the helper. `timeout` (seconds, for one whole request) must exceed the helper's own deadline."""

    def __init__(self, socket_path: str | os.PathLike[str], timeout: float) -> None:
        """Keep where to ask and how long to wait; nothing is opened before the first question."""
        self._path = str(socket_path)
        self._timeout = timeout
        self._logins = asyncio.Semaphore(MAX_LOGINS)

    async def check_password(self, user: str, password: str) -> PasswordResult:
        """Ask whether the password is right and the account may use the service."""
        request: dict[str, object] = {"verb": "check-password", "user": user, "password": password}
        return await self._check(request, _PASSWORD_ERRORS)

    async def check_account(self, user: str) -> PasswordResult:
        """Ask whether the account may use the service; that it is its owner who asks is known."""
        return await self._check({"verb": "check-account", "user": user}, _ACCOUNT_ERRORS)

    async def _check(
        self, request: dict[str, object], errors: Mapping[str, PasswordVerdict]
    ) -> PasswordResult:
        try:
            async with asyncio.timeout(self._timeout), self._logins:
                answer = await self._ask(request)
        except TimeoutError:
            return PasswordResult(PasswordVerdict.UNAVAILABLE, "Too many logins at once. Try again.")
        except HelperError as error:
            return PasswordResult(PasswordVerdict.UNAVAILABLE, str(error))
        if answer["ok"]:
            return PasswordResult(PasswordVerdict.OK)
        return PasswordResult(errors.get(answer["error"], PasswordVerdict.UNAVAILABLE), answer["message"])

    async def submit(
        self, user: str, job_name: str, layer: str, resources: Resources, environment: Mapping[str, str]
    ) -> SubmitResult:
        """Submit a session as the user. After UNKNOWN look for `job_name` and owner before trying again."""
        request: dict[str, object] = {
            "verb": "submit",
            "user": user,
            "job_name": job_name,
            "layer": layer,
            "resources": dataclasses.asdict(resources),
            "environment": dict(environment),
        }
        verdict, answer, message = await self._settle(request)
        job_id = answer.get("job_id")
        if verdict is not Verdict.OK:
            return SubmitResult(verdict, message=message, error=str(answer.get("error", "")))
        if type(job_id) is not int:
            return SubmitResult(Verdict.UNKNOWN, message="The helper's answer carries no job id.")
        return SubmitResult(verdict, job_id)

    async def cancel(self, user: str, job_id: int) -> CancelResult:
        """Cancel a job as the user. Harmless to repeat."""
        verdict, _, message = await self._settle({"verb": "cancel", "user": user, "job_id": job_id})
        return CancelResult(verdict, message)

    async def estimate(self, user: str, resources: Resources) -> EstimateResult:
        """Ask Slurm when such a session would start, without queueing anything."""
        question = {"user": user, "resources": dataclasses.asdict(resources)}
        verdict, answer, message = await self._settle({"verb": "estimate", **question})
        return EstimateResult(verdict, str(answer.get("text", "")), message, str(answer.get("error", "")))

    async def extend(self, user: str, job_id: int, job_name: str, minutes: int) -> ExtendResult:
        """Let the user's running session last so many minutes in all. Harmless to repeat."""
        job = {"user": user, "job_id": job_id, "job_name": job_name}
        verdict, _, message = await self._settle({"verb": "extend", **job, "minutes": minutes})
        return ExtendResult(verdict, message)

    async def _settle(self, request: dict[str, object]) -> tuple[Verdict, dict[str, Any], str]:
        try:
            answer = await self._ask(request)
        except HelperUnavailableError as error:
            return Verdict.UNAVAILABLE, {}, str(error)
        except HelperError as error:
            return Verdict.UNKNOWN, {}, str(error)
        if answer["ok"]:
            return Verdict.OK, answer, ""
        verdict = _VERDICTS.get(answer["error"], Verdict.UNAVAILABLE)
        return verdict, answer, str(answer["message"])

    async def _ask(self, request: dict[str, object]) -> dict[str, Any]:
        document = json.dumps(request).encode()
        if len(document) > MAX_BYTES:
            raise HelperUnavailableError(f"The request is larger than {MAX_BYTES} bytes and was not sent.")
        with _socket() as connection:
            try:
                async with asyncio.timeout(self._timeout):
                    await _send(connection, self._path, document)
                    return _decode(await _receive(connection))
            except TimeoutError as error:
                raise HelperUnansweredError(
                    f"The helper gave no answer within {self._timeout:g} seconds."
                ) from error


def _socket() -> socket.socket:
    try:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError as error:  # no file descriptor left
        raise HelperUnavailableError(f"The helper cannot be reached: {error}.") from error
    connection.setblocking(False)  # noqa: FBT003 (that is its signature)
    return connection


async def _send(connection: socket.socket, path: str, document: bytes) -> None:
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_connect(connection, path)
        # The helper acts on whole documents only, so an error before the last byte proves that it did not.
        await loop.sock_sendall(connection, document)
    except OSError as error:
        if isinstance(error, TimeoutError):
            raise
        raise HelperUnavailableError(f"The helper cannot be reached: {error}.") from error
    with contextlib.suppress(OSError):  # the other side is gone; what it did is seen in its answer
        connection.shutdown(socket.SHUT_WR)


async def _receive(connection: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    answer = b""
    try:
        while chunk := await loop.sock_recv(connection, MAX_BYTES):
            answer += chunk
            if len(answer) > MAX_BYTES:
                raise HelperUnansweredError("The helper's answer is too long.")
    except ConnectionResetError as error:
        # On a unix socket this means that the other side closed before it had read all that was sent.
        raise HelperUnavailableError(
            "The helper closed the connection before it read the request."
        ) from error
    except OSError as error:
        if isinstance(error, TimeoutError):
            raise
        raise HelperUnansweredError(f"The helper's answer was lost: {error}.") from error
    return answer


def _decode(answer: bytes) -> dict[str, Any]:
    try:
        document = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise HelperUnansweredError("The helper gave no readable answer.") from error
    if isinstance(document, dict):
        if document.get("ok") is True:
            return document
        texts = document.get("error"), document.get("message")
        if document.get("ok") is False and all(isinstance(text, str) for text in texts):
            return document
    raise HelperUnansweredError("The helper gave no valid answer.")
