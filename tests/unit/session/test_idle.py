"""What nobody uses ends, and nothing else: a real session with kernels and terminals, after seconds."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from berth.session import idle
from berth.session.terminals import works

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = dt.datetime(2026, 11, 27, 12, 0, tzinfo=dt.UTC)


@dataclass
class Kernel:
    """What Jupyter knows of a kernel."""

    kernel_name: str
    execution_state: str
    idle_seconds: int

    @property
    def last_activity(self) -> dt.datetime:
        return NOW - dt.timedelta(seconds=self.idle_seconds)


@dataclass
class Kernels:
    """Kernels by id."""

    running: dict[str, Kernel] = field(default_factory=dict)

    def list_kernel_ids(self) -> list[str]:
        return list(self.running)

    def get_kernel(self, kernel_id: str) -> Kernel:
        return self.running[kernel_id]


def soonest(minutes: int, *kernels: Kernel) -> dict[str, Any] | None:
    return idle.soonest(Kernels({str(n): item for n, item in enumerate(kernels)}), minutes, NOW)


def test_by_default_nothing_is_ended_and_nothing_is_said() -> None:
    assert idle.config(0) == {}
    assert soonest(0, Kernel("python3", "idle", 10**6)) is None


def test_jupyter_ends_what_was_idle_for_so_long_and_nothing_busy() -> None:
    config = idle.config(45)
    assert config["MappingKernelManager"]["cull_idle_timeout"] == 2700
    assert config["MappingKernelManager"]["cull_busy"] is False
    assert config["TerminalManager"]["cull_inactive_timeout"] == 2700
    assert config["ServerApp"]["shutdown_no_activity_timeout"] == 2700
    json.dumps(config)


def test_the_idle_kernel_that_ends_first_is_told_and_a_busy_one_never() -> None:
    kernels = [Kernel("r", "idle", 60), Kernel("python3", "idle", 600), Kernel("julia", "busy", 5000)]
    assert soonest(60, *kernels) == {"kernel": "python3", "minutes": 60, "left": 3000}
    assert soonest(60, Kernel("julia", "busy", 5000)) is None
    assert soonest(60) is None
    assert soonest(1, Kernel("r", "idle", 600)) == {"kernel": "r", "minutes": 1, "left": 0}


@pytest.fixture
def shell() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        ["/bin/sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", bufsize=1
    ) as process:
        yield process
        process.kill()


def test_a_shell_works_while_something_runs_in_it_in_the_background_too(shell: subprocess.Popen[str]) -> None:
    assert shell.stdin is not None
    assert shell.stdout is not None
    assert not works(shell.pid)
    shell.stdin.write(f"{sys.executable} -c 'input()' < /dev/zero > /dev/null & echo begun\n")
    assert shell.stdout.readline() == "begun\n"
    assert works(shell.pid)
    shell.stdin.write("kill $!; wait $!; echo ended\n")
    assert shell.stdout.readline() == "ended\n"
    assert not works(shell.pid)
    shell.kill()
    shell.wait()
    assert not works(shell.pid)
