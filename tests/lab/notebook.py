"""Kernels and terminals of a session, over the websockets that JupyterLab uses."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any, Self

import websocket

from tests.lab.machines import lab
from tests.lab.waiting import TooLateError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.lab.visitor import Visitor

ANSWER_SECONDS = 30.0


class CellError(AssertionError):
    """A cell raised; the message is the kernel's."""


def connect(visitor: Visitor, path: str) -> websocket.WebSocket:
    """Open a websocket through the proxy with the visitor's cookies; raises WebSocketBadStatusException."""
    return websocket.create_connection(
        f"{lab().url.replace('https', 'wss')}{path}",
        timeout=ANSWER_SECONDS,
        cookie=visitor.cookies(path),
        origin=lab().url,
        sslopt={"context": visitor.context},
        http_no_proxy=["127.0.0.1"],
    )


def receive(socket: websocket.WebSocket, deadline: float, what: str) -> Any:
    """The next message; the server's pings, which never end, are none. Raises TooLateError."""
    while (left := deadline - time.monotonic()) > 0:
        socket.settimeout(min(1.0, left))
        with contextlib.suppress(websocket.WebSocketTimeoutException):
            return json.loads(socket.recv())
    raise TooLateError(what)


class Kernel:
    """A kernel of a visitor's session."""

    def __init__(self, visitor: Visitor, identity: str) -> None:
        """Connect to a kernel that runs."""
        self.visitor = visitor
        self.id = identity
        self._session = uuid.uuid4().hex
        self._path = f"/user/{visitor.name}/api/kernels/{identity}/channels?session_id={self._session}"
        self.socket = connect(visitor, self._path)

    @classmethod
    def start(cls, visitor: Visitor, name: str = "") -> Self:
        """Start a kernel by its name, or the release's first one."""
        chosen = name or default_kernel(visitor)
        answer = visitor.lab("POST", "kernels", json={"name": chosen})
        assert answer.status_code == 201, answer.text
        return cls(visitor, answer.json()["id"])

    def __enter__(self) -> Self:
        """End the kernel at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnect and end the kernel."""
        self.socket.close()
        self.visitor.lab("DELETE", f"kernels/{self.id}")

    def reconnect(self) -> None:
        """Connect anew to the same kernel, as the page does when its connection was cut."""
        with contextlib.suppress(OSError, websocket.WebSocketException):
            self.socket.close()
        self.socket = connect(self.visitor, self._path)

    @contextlib.contextmanager
    def attended(self) -> Iterator[None]:
        """Use the connection now and then; the server closes one on which nobody answers its pings."""
        done = threading.Event()
        failed: list[BaseException] = []

        def use() -> None:
            try:
                while not done.wait(2.0):
                    self.run("pass")
            except (AssertionError, OSError, websocket.WebSocketException) as error:
                failed.append(error)

        user = threading.Thread(target=use)
        user.start()
        try:
            yield
        finally:
            done.set()
            user.join()
        assert failed == [], "the open connection was cut"

    def run(self, code: str, seconds: float = ANSWER_SECONDS) -> str:
        """Run a cell; return what it printed. Raises CellError with the traceback."""
        sent = self._send(code)
        printed, deadline = "", time.monotonic() + seconds
        while True:
            message = receive(self.socket, deadline, f"no answer of the kernel within {seconds:g} s: {code}")
            if message["parent_header"].get("msg_id") != sent:
                continue
            content, kind = message["content"], message["msg_type"]
            if kind == "stream" and content["name"] == "stdout":
                printed += content["text"]
            elif kind == "error":
                raise CellError("\n".join(content["traceback"]))
            elif kind == "status" and content["execution_state"] == "idle":
                return printed.strip()

    def value(self, expression: str) -> Any:
        """The value of a Python expression, through JSON."""
        return json.loads(self.run(f"import json; print(json.dumps({expression}))"))

    def _send(self, code: str) -> str:
        identity = uuid.uuid4().hex
        header = {
            "msg_id": identity,
            "msg_type": "execute_request",
            "username": self.visitor.name,
            "session": self._session,
            "version": "5.3",
            "date": "",
        }
        content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
        self.socket.send(json.dumps({**message, "channel": "shell", "buffers": []}))
        return identity


def default_kernel(visitor: Visitor) -> str:
    """The kernel that the session offers first."""
    specs = visitor.lab("GET", "kernelspecs").raise_for_status().json()
    return str(specs["default"])


class Terminal:
    """A terminal of a visitor's session."""

    def __init__(self, visitor: Visitor) -> None:
        """Start it and connect."""
        self.visitor = visitor
        answer = visitor.lab("POST", "terminals", json={})
        assert answer.status_code == 200, answer.text
        self.name = str(answer.json()["name"])
        self.socket = connect(visitor, f"/user/{visitor.name}/terminals/websocket/{self.name}")

    def __enter__(self) -> Self:
        """End the terminal at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnect and end the terminal."""
        self.socket.close()
        self.visitor.lab("DELETE", f"terminals/{self.name}")

    def run(self, command: str, seconds: float = ANSWER_SECONDS, asks: Sequence[str] = ()) -> str:
        """Type a command; return what it printed between two marks.

        What it `asks` is answered `y`, one question after the other as they appear; all must have been.
        """
        mark = uuid.uuid4().hex
        # Halved, so that the echo of what is typed does not look like the answer.
        half = len(mark) // 2
        typed = f"printf %s%s\\\\n {mark[:half]} {mark[half:]}"
        self.socket.send(json.dumps(["stdin", f"{typed}; {command}; {typed}\r"]))
        seen, deadline = "", time.monotonic() + seconds
        questions, read = list(asks), 0
        while seen.count(mark) < 2:
            late = f"not done in the terminal within {seconds:g} s: {command}; it shows {seen!r}"
            kind, *content = receive(self.socket, deadline, late)
            if kind == "stdout":
                seen += content[0]
            if questions and (asked := seen.find(questions[0], read)) >= 0:
                read = asked + len(questions.pop(0))
                self.socket.send(json.dumps(["stdin", "y\r"]))
        assert not questions, f"{command} did not ask {questions[0]!r}; it shows {seen!r}"
        return seen.split(mark)[1].strip()
