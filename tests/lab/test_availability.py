"""The table of free resources agrees with Slurm, and follows it while it is looked at."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.lab import pages
from tests.lab.machines import NODES, lab
from tests.lab.slurm import on
from tests.lab.visitor import events
from tests.lab.waiting import until

if TYPE_CHECKING:
    import ssl

    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

PATH = "/hub/berth/api/availability"
FOLLOW_SECONDS = 20.0


def by_slurm(slurm: Slurm) -> list[int]:
    """How many nodes have 0, 1 and 2 GPUs that anybody can have, read from scontrol."""
    reserved = slurm.reserved_nodes()
    counted = Counter(0 if name in reserved else slurm.free_gpus(name) for name in NODES)
    return [counted[number] for number in range(3)]


def by_hub(document: dict[str, Any]) -> list[int]:
    """The same from the hub's answer."""
    assert document["columns"] == [0, 1, 2]
    (row,) = [row for row in document["rows"] if row["gpu_type"] == "a100"]
    nodes: list[int] = row["nodes"]
    return nodes


def current(visitor: Visitor) -> dict[str, Any]:
    """The hub's answer as JSON."""
    answer = visitor.http.get(PATH).raise_for_status()
    assert answer.headers["Content-Type"].startswith("application/json")
    document: dict[str, Any] = answer.json()
    return document


def test_only_users_may_ask(context: ssl.SSLContext) -> None:
    with httpx.Client(verify=context, trust_env=False) as stranger:
        assert stranger.get(lab().url + PATH).status_code == 403


def test_json_page_and_stream_follow_slurm(slurm: Slurm, alice: Visitor, context: ssl.SSLContext) -> None:
    stream = Stream(alice, context)
    jobs: list[int] = []
    try:
        agreed(slurm, alice, stream, [1, 0, 1])
        jobs.append(gpu_job(slurm, "gpu1"))
        agreed(slurm, alice, stream, [1, 1, 0])
        jobs.append(gpu_job(slurm, "gpu1"))
        agreed(slurm, alice, stream, [2, 0, 0])
        slurm.cancel(*jobs)
        jobs[:] = [gpu_job(slurm, "gpu2")]  # reserved: its GPUs were not free for everybody before, either
        agreed(slurm, alice, stream, [1, 0, 1])
    finally:
        stream.close()
        slurm.cancel(*jobs)


def gpu_job(slurm: Slurm, node: str) -> int:
    """A running job with a GPU."""
    job_id = slurm.submit("bob", "--gres=gpu:1", *on(node), script="sleep 600")
    slurm.wait_for(job_id, "RUNNING")
    return job_id


def agreed(slurm: Slurm, visitor: Visitor, stream: Stream, expected: list[int]) -> None:
    """Slurm, the JSON answer, the page's table and the stream all come to say what is expected."""
    assert by_slurm(slurm) == expected
    until(lambda: by_hub(current(visitor)) == expected, f"availability {expected}", FOLLOW_SECONDS)
    document = current(visitor)
    assert document["error"] == ""
    assert document["age_seconds"] < FOLLOW_SECONDS
    stream.wait_for(expected)
    head, *rows = pages.table(visitor.form_page(), "berth-table")
    assert head[1:] == ["0 free", "1 free", "2 free"]
    assert rows == [["a100", *map(str, expected)]]


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

    def wait_for(self, expected: list[int]) -> None:
        """Read events until one says what is expected."""
        seen: dict[str, Any] = {}
        while not seen or by_hub(seen) != expected:
            try:
                seen = self._events.get(timeout=FOLLOW_SECONDS)
            except queue.Empty:
                pytest.fail(f"the stream did not come to say {expected}; it said {seen}")
            assert "broken" not in seen, seen

    def close(self) -> None:
        """End the stream."""
        self._client.close()
        self._thread.join(timeout=5)
