"""Julia's preparation in alice's home, looked at and held up from outside."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from tests.lab.machines import LOGIN, NODES, Machine
from tests.lab.releases import ordered
from tests.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.lab.sessions import Session
    from tests.lab.visitor import Visitor

KERNEL = "julia"
USER = "alice"
PREPARE = "berth[.]session[.]prepare"
READY_SECONDS = 180.0
"""At the lowest priority, on cores that others use."""
_HELD_SECONDS = "90"
_HOLD = """
until [ -d "$1/packages/IJulia" ]; do sleep 0.02; done
pkill -STOP -u "$2" -x julia || [ $? = 1 ]
"""


@dataclass(frozen=True)
class Julia:
    """The Julia of a release, and what of it is in alice's home."""

    name: str
    prefix: str

    @property
    def final(self) -> str:
        """What is there once all is prepared."""
        return f"/home/{USER}/.julia/berth/{PurePosixPath(self.prefix).name}"

    @property
    def depot(self) -> str:
        """Where IJulia is, complete or not."""
        return f"{self.final}.depot"

    @property
    def log(self) -> str:
        """What the preparation printed."""
        return f"/home/{USER}/.berth/log/prepare-{PurePosixPath(self.prefix).name}.log"

    def is_there(self) -> bool:
        """Whether it is prepared."""
        return bool(Machine(LOGIN).attempt("test", "-e", self.final).rc == 0)

    def wait(self, visitor: Visitor) -> None:
        """Wait until the launcher offers it without a remark."""
        until(lambda: shown(visitor) == self.name, f"{self.name} in the launcher", READY_SECONDS)


def julia_of(release: str) -> Julia:
    """The Julia of a release."""
    (found,) = [entry for entry in ordered() if entry["name"] == release]
    (entry,) = [entry for entry in found["environments"] if entry["kernel"] == KERNEL]
    return Julia(entry["display_name"], entry["prefix"])


def specs(visitor: Visitor) -> dict[str, Any]:
    """The kernels that the launcher offers."""
    answer = visitor.lab("GET", "kernelspecs").raise_for_status()
    return dict(answer.json()["kernelspecs"])


def shown(visitor: Visitor) -> str:
    """What the launcher calls Julia."""
    return str(specs(visitor)[KERNEL]["spec"]["display_name"])


def forget() -> None:
    """Take all of Julia's from the home."""
    Machine(LOGIN).shell(f"rm -rf /home/{USER}/.julia /home/{USER}/.berth/log/prepare-julia-*")


def processes(node: Machine, *words: str) -> list[int]:
    """The user's processes on a node that `pgrep` finds."""
    return [int(line) for line in node.attempt("pgrep", "-u", USER, *words).stdout.split()]


def command(session: Session) -> list[str]:
    """How the session prepares Julia."""
    (pid,) = processes(session.node, "-f", PREPARE)
    script = "import json, sys; print(json.dumps(open(sys.argv[1]).read().split('\\0')[:-1]))"
    return [str(word) for word in session.node.python(script, f"/proc/{pid}/cmdline")]


@contextmanager
def held(julia: Julia) -> Iterator[Callable[[], None]]:
    """Stop the preparation, wherever it begins, once IJulia is there but not compiled.

    Gives what waits for that moment; at the end the preparation goes on.
    """
    arguments = ["timeout", _HELD_SECONDS, "sh", "-euc", _HOLD, "berth-hold", julia.depot, USER]
    with ThreadPoolExecutor(len(NODES)) as pool:
        watching = [pool.submit(Machine(node).run, *arguments) for node in NODES]

        def halfway() -> None:
            for watch in watching:
                watch.result()
            stopped = [node for node in NODES if processes(Machine(node), "-x", "julia", "-r", "T")]
            assert len(stopped) == 1, f"Julia is stopped on {stopped or 'no node'}"
            assert not julia.is_there()

        try:
            yield halfway
        finally:
            for node in NODES:
                Machine(node).attempt("pkill", "-f", "berth-[h]old")
            go_on()


def go_on() -> None:
    """Let what was stopped go on."""
    for node in NODES:
        Machine(node).attempt("pkill", "-CONT", "-u", USER, "-x", "julia")
