"""The table of free resources agrees with Slurm, and follows it while it is looked at."""

from __future__ import annotations

import queue
import re
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx
import pytest

from tests.lab import pages
from tests.lab.cluster import CLUSTER, COURSE_NODE, GPU_TYPES, OPEN_NODE
from tests.lab.machines import lab
from tests.lab.slurm import on
from tests.lab.visitor import events
from tests.lab.waiting import TooLateError, until

if TYPE_CHECKING:
    import ssl

    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

PATH = "/hub/berth/api/availability"
FOLLOW_SECONDS = 20.0


Table: TypeAlias = "dict[str | None, list[int | None]]"
"""For each type of GPU, how many nodes have 0, 1, 2 ... free for anybody; None where no node has so many.

The type None stands for the nodes without any GPU.
"""
COLUMNS = max(GPU_TYPES.values()) + 1


def counted(free: dict[str, dict[str, int]]) -> Table:
    """The table for what is free of each type on each node."""
    table: Table = {}
    for kind, most in GPU_TYPES.items():
        numbers = Counter(gpus[kind] for gpus in free.values() if kind in gpus)
        if numbers:
            table[kind] = [numbers[n] if n <= most else None for n in range(COLUMNS)]
    without = sum(not gpus for gpus in free.values())
    if without:
        table[None] = [without, *[None] * (COLUMNS - 1)]
    return table


def expected(*held: tuple[str, str]) -> Table:
    """The table by the inventory, when one GPU is held for each (node, type) in `held`."""
    taken = Counter(held)
    return counted(
        {
            node.name: {
                kind: 0 if node.reserved else len(paths) - taken[node.name, kind]
                for kind, paths in node.devices.items()
            }
            for node in CLUSTER
        }
    )


def by_slurm(slurm: Slurm) -> Table:
    """The same, read from scontrol; nodes that take no job are not in it."""
    names = [node.name for node in CLUSTER if slurm.takes_jobs(node.name)]
    free: dict[str, dict[str, int]] = {name: slurm.free_gpus(name) for name in names}
    for name in slurm.reserved_nodes() & set(names):
        free[name] = dict.fromkeys(free[name], 0)
    return counted(free)


def by_hub(document: dict[str, Any]) -> Table:
    """The same from the hub's answer."""
    assert not document["rows"] or document["columns"] == list(range(COLUMNS))
    table = {row["gpu_type"]: row["nodes"] for row in document["rows"]}
    assert len(table) == len(document["rows"])
    return table


def current(visitor: Visitor) -> dict[str, Any]:
    """The hub's answer as JSON."""
    answer = visitor.http.get(PATH).raise_for_status()
    assert answer.headers["Content-Type"].startswith("application/json")
    document: dict[str, Any] = answer.json()
    return document


def followed(visitor: Visitor, wanted: Table) -> None:
    """Wait until the hub's answer is as expected."""
    seen: list[dict[str, Any]] = []

    def agrees() -> bool:
        seen[:] = [current(visitor)]
        return by_hub(seen[0]) == wanted

    try:
        until(agrees, f"availability {wanted}", FOLLOW_SECONDS)
    except TooLateError as error:
        message = f"{error}: the hub says {seen[0]}"
        raise TooLateError(message) from error


def test_only_users_may_ask(context: ssl.SSLContext) -> None:
    with httpx.Client(verify=context, trust_env=False) as stranger:
        assert stranger.get(lab().url + PATH).status_code == 403


def test_json_page_and_stream_follow_slurm(slurm: Slurm, alice: Visitor, context: ssl.SSLContext) -> None:
    stream = Stream(alice, context)
    jobs: list[int] = []
    held: list[tuple[str, str]] = []
    try:
        agreed(slurm, alice, stream, expected())
        for kind, paths in OPEN_NODE.devices.items():
            for _ in paths:
                jobs.append(gpu_job(slurm, OPEN_NODE.name, f":{kind}"))
                held.append((OPEN_NODE.name, kind))
                agreed(slurm, alice, stream, expected(*held))
        slurm.cancel(*jobs)
        # Reserved: its GPUs were not free for everybody before, either.
        jobs[:] = [gpu_job(slurm, COURSE_NODE.name)]
        agreed(slurm, alice, stream, expected())
    finally:
        stream.close()
        slurm.cancel(*jobs)


def test_a_gpu_that_was_asked_for_without_its_type_is_taken_from_its_own_row(
    slurm: Slurm, alice: Visitor
) -> None:
    job_id = gpu_job(slurm, OPEN_NODE.name)
    try:
        (kind,) = re.findall(r"gpu:(\w+):1\(IDX:", slurm.job(job_id)["GRES"])
        wanted = expected((OPEN_NODE.name, kind))
        assert by_slurm(slurm) == wanted
        followed(alice, wanted)
    finally:
        slurm.cancel(job_id)


def gpu_job(slurm: Slurm, node: str, kind: str = "") -> int:
    """A running job with a GPU, of a type if that is told (`:a100`)."""
    job_id = slurm.submit("bob", f"--gres=gpu{kind}:1", *on(node), script="sleep 600")
    slurm.wait_for(job_id, "RUNNING")
    return job_id


def agreed(slurm: Slurm, visitor: Visitor, stream: Stream, wanted: Table) -> None:
    """Slurm, the JSON answer, the page's table and the stream all come to say what is expected."""
    assert by_slurm(slurm) == wanted
    followed(visitor, wanted)
    document = current(visitor)
    assert document["error"] == ""
    assert document["age_seconds"] < FOLLOW_SECONDS
    stream.wait_for(wanted)
    head, *rows = pages.table(visitor.form_page(), "berth-table")
    assert head[1:] == [f"{number} free" for number in range(COLUMNS)]
    assert [[title, *(cell.split()[0] for cell in cells)] for title, *cells in rows] == [
        [kind or "Nodes without GPU", *("–" if number is None else str(number) for number in numbers)]  # noqa: RUF001
        for kind, numbers in wanted.items()
    ]
    assert [[" ".join(cell.split()[1:]) for cell in cells] for _, *cells in rows] == [
        row["details"] for row in document["rows"]
    ]


class Stream:
    """An event stream that is read by a thread of its own."""

    def __init__(self, visitor: Visitor, context: ssl.SSLContext) -> None:
        """Open it with the visitor's cookies."""
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        self._client = httpx.Client(verify=context, trust_env=False, timeout=60)
        self._headers = {"Accept": "text/event-stream", "Cookie": visitor.cookies(PATH)}
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            with self._client.stream("GET", lab().url + PATH, headers=self._headers) as answer:
                assert answer.headers["Content-Type"] == "text/event-stream"
                for event in events(answer):
                    self._events.put(event)
        except (httpx.HTTPError, RuntimeError, OSError) as error:  # closed by us, or broken: the queue tells
            self._events.put({"broken": repr(error)})
        else:
            self._events.put({"broken": "the hub ended it"})

    def next(self) -> dict[str, Any]:
        """The next event."""
        return self._events.get(timeout=FOLLOW_SECONDS)

    def ended(self) -> bool:
        """Whether the hub ends the stream soon."""
        self._thread.join(timeout=FOLLOW_SECONDS)
        return not self._thread.is_alive()

    def wait_for(self, wanted: Table) -> None:
        """Read events until one says what is expected."""
        seen: dict[str, Any] = {}
        while not seen or by_hub(seen) != wanted:
            try:
                seen = self._events.get(timeout=FOLLOW_SECONDS)
            except queue.Empty:
                pytest.fail(f"the stream did not come to say {wanted}; it said {seen}")
            assert "broken" not in seen, seen

    def close(self) -> None:
        """End the stream."""
        self._client.close()
        self._thread.join(timeout=5)
