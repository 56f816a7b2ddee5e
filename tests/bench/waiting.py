"""Waiting for the first answer of a session, from outside and from its own node."""

from __future__ import annotations

import subprocess
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

import httpx

from tests.bench.install import REMOTE
from tests.lab.cluster import CLUSTER
from tests.lab.machines import Machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAUSE_SECONDS: Final = 0.02
LIMIT_SECONDS: Final = 180.0


def seconds_until(
    client: httpx.Client, url: str, began: float, check: Callable[[], object] = lambda: None
) -> float:
    """Ask again and again until a Jupyter server answers; return the seconds since `began` (Unix time).

    `check` is called between the questions, and raises if there is nothing to wait for any more.
    """
    while not _answers(client, url):
        check()
        if time.time() - began > LIMIT_SECONDS:
            raise TimeoutError(f"no answer within {LIMIT_SECONDS:g} seconds")
        time.sleep(PAUSE_SECONDS)
    return time.time() - began


def _answers(client: httpx.Client, url: str) -> bool:
    try:
        response = client.get(url)
    except httpx.HTTPError:
        return False
    return response.status_code == httpx.codes.OK and "version" in response.text


@contextmanager
def watched(user: str) -> Iterator[Callable[[str], float]]:
    """Watch the nodes that everybody may use for a session of the user's.

    Gives a function that tells, for the name of the node, when the session first answered there (Unix time).
    """
    with ExitStack() as stack:
        watchers = {
            node.name: stack.enter_context(_watcher(Machine(node.name), user))
            for node in CLUSTER
            if not node.reserved
        }
        yield lambda name: float(_line(watchers[name]))


@contextmanager
def _watcher(machine: Machine, user: str) -> Iterator[subprocess.Popen[str]]:
    script = ["python3", f"{REMOTE}/first_answer.py", machine.run("id", "-u", user), f"/user/{user}/api"]
    command = ["docker", "exec", "-i", machine.container, *script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if _line(process) != "ready":
            raise RuntimeError(f"{machine.name} cannot be watched")
        yield process  # its input is closed at the end, which ends it


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()
