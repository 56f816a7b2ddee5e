"""One request: read from the connection on standard input, judged, done, answered, logged."""

from __future__ import annotations

import json
import logging
import os
import pwd
import socket
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from berth import journal
from berth.helper import accounts, passwords, policy, slurm
from berth.helper.protocol import (
    MAX_BYTES,
    Answer,
    BadRequestError,
    Cancel,
    CheckAccount,
    CheckPassword,
    Estimate,
    Extend,
    Request,
    Submit,
    failure,
    parse,
)
from berth.helper.settings import DEFAULT_PATH, Settings, SettingsError, load

READ_SECONDS = 10.0
"""How long the peer may take to send its request."""
SPARE_SECONDS = 10.0
"""What a whole request may take beyond the limit of Slurm's command; then it is answered "unknown"."""

_JOB_PREFIX = "berth-"
_LOGINS = {CheckPassword: "check-password", CheckAccount: "check-account"}
_LOG = logging.getLogger("berth.helper")


def perform(request: Request, settings: Settings) -> Answer:
    """Do what a valid request asks for, on behalf of a user for whom it may be done."""
    if isinstance(request, CheckPassword):
        return passwords.check(request, settings)
    if isinstance(request, CheckAccount):
        return accounts.check(request, settings)
    user = policy.permitted_user(request.user, settings)
    match request:
        case Submit():
            return slurm.submit(user, request, settings)
        case Cancel():
            return slurm.cancel(user, request, settings)
        case Estimate():
            return slurm.estimate(user, request, settings)
        case Extend():
            return slurm.extend(user, request, settings)


def answer(connection: socket.socket, settings: Settings) -> tuple[dict[str, Any], Answer]:
    """Read one request and give what to log of it and what to answer. Nothing that it holds raises."""
    title: dict[str, Any] = {"verb": "none"}
    try:
        document = _read(connection)
        policy.check_peer(connection, settings)
        request = parse(document)
        title = _title(request)
        return title, perform(request, settings)
    except BadRequestError as error:
        return title, failure("bad-request", str(error))
    except policy.NotPermittedError as error:
        return title, failure("not-permitted", str(error))
    except Exception as error:  # noqa: BLE001 (the peer gets one document, whatever happens)
        # An exception's text may hold what was asked; its type and place do not.
        place = "".join(traceback.format_tb(error.__traceback__))
        fields = {**title, "msg": f"failed with {type(error).__name__}", "traceback": place}
        _LOG.error(journal.Event("helper-failed", fields))
        return title, failure("unknown", "The helper failed; its journal says where.")


def _read(connection: socket.socket) -> bytes:
    """Read up to the end of the request, which the peer marks by shutting down its writing half."""
    deadline = time.monotonic() + READ_SECONDS
    document = b""
    try:
        while len(document) <= MAX_BYTES:
            connection.settimeout(max(0.01, deadline - time.monotonic()))
            chunk = connection.recv(MAX_BYTES)
            if not chunk:
                return document
            document += chunk
    except TimeoutError as error:
        raise BadRequestError("The request did not end in time.") from error
    raise BadRequestError(f"The request is larger than {MAX_BYTES} bytes.")


def _title(request: Request) -> dict[str, Any]:
    """Name a request for the log. A name that nobody has may be a mistyped password: it is not logged."""
    name = request.user
    try:
        pwd.getpwnam(name)
    except KeyError:
        name = "(unknown)"
    verb = _LOGINS.get(type(request), type(request).__name__.lower())
    title: dict[str, Any] = {"verb": verb, "user": name}
    match request:
        case Submit():
            title["session"] = request.job_name.removeprefix(_JOB_PREFIX)
        case Cancel():
            title["job_id"] = request.job_id
    return title


def serve(connection: socket.socket, settings: Settings) -> None:
    """Answer one request exactly once: with its outcome, or with "unknown" when the deadline comes first."""
    started = time.monotonic()
    answered = threading.Lock()

    def give_up() -> None:
        if answered.acquire(blocking=False):
            _LOG.error("the deadline passed")
            _send(connection, failure("unknown", "The helper did not finish in time."))
            os._exit(1)  # the other thread may be stuck in a library; systemd ends what is left

    deadline = threading.Timer(settings.submit_timeout_seconds + SPARE_SECONDS, give_up)
    deadline.daemon = True
    deadline.start()
    title, result = answer(connection, settings)
    if not answered.acquire(blocking=False):
        deadline.join()
    deadline.cancel()
    _send(connection, result)
    outcome = {"msg" if key == "message" else key: value for key, value in result.items()}
    journal.event(_LOG, "helper", **title, **outcome, seconds=time.monotonic() - started)


def _send(connection: socket.socket, result: Answer) -> None:
    try:
        connection.settimeout(READ_SECONDS)
        connection.sendall(json.dumps(result).encode())
    except OSError as error:
        _LOG.warning("the answer could not be sent: %s", error.strerror)


def main(arguments: list[str]) -> int:
    """Serve the connection on standard input; the only argument is another path of the settings."""
    try:
        settings = load(Path(arguments[0]) if arguments else DEFAULT_PATH)
    except SettingsError as error:
        journal.configure("berth.helper", journal.TEXT).error(
            "%s", error
        )  # ending before the request is read tells the client that nothing was done
        return 1
    journal.configure("berth.helper", settings.log_format)
    os.dup2(2, 1)  # standard output is the connection too: nothing may be printed into the answer
    with socket.socket(fileno=0) as connection:
        serve(connection, settings)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
