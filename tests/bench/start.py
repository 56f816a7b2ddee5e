"""From the click to the first answer of a session, and what of it the hub takes once the server is there."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

import httpx

from tests.bench import floor, page
from tests.bench.hub import FAILURES, Hub, Wish, reason
from tests.bench.stage import USERS, cancel_jobs, login
from tests.bench.waiting import seconds_until, watched

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

TITLE: Final = "From the click to the first answer of the session"
FLOOR: Final = "the floor"
AIMS: Final = {FLOOR: "<= 0.5", "stock batchspawner": "<= 0.3"}
NOTES: Final = f"""
- click to answer: REST request for a session of one core and 1 GiB until the first 200 of
  `/user/NAME/api` through the proxy, asked every 20 ms; Berth through nginx and TLS as well, the peers by
  plain HTTP.
- hub after the server: of that, what passes after the session's server first answered on its own node,
  where a program looks for it every 10 ms.
- {FLOOR}: plain `jupyter lab` started by `srun`, until it answers on its node.
- jupyterhub-moss gets by REST what its form's handler would have made of a form: without the `sinfo` that
  this handler waits for.
- After the server answers, Berth's session reports to the hub through TLS, which then asks it once; stock
  batchspawner knows the port by then.
"""
USER: Final = USERS[0]


@dataclass
class Found:
    """What the rounds gave, in seconds."""

    total: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def measure(hubs: Sequence[Hub], rounds: int) -> str:
    """Start one session of each once a round, after one round that warms the caches of all."""
    timed: dict[str, Callable[[], tuple[float, ...]]] = {FLOOR: lambda: (floor.seconds(USER),)}
    timed |= {hub.name: partial(_trial, hub) for hub in hubs}
    found = {name: Found() for name in timed}
    for number in range(rounds + 1):
        for name, trial in timed.items():
            said = _record(trial, found[name] if number else Found())
            print(f"{f'start {number}' if number else 'warm-up'}: {name}: {said}", flush=True)
    return report(found, rounds)


def _record(trial: Callable[[], tuple[float, ...]], found: Found) -> str:
    try:
        total, *after = trial()
    except FAILURES as error:
        found.failures.append(reason(error))
        return f"failed: {reason(error)}"
    found.total.append(total)
    found.after += after
    return ", ".join(f"{seconds:.2f} s" for seconds in (total, *after))


def _trial(hub: Hub) -> tuple[float, float]:
    hub.visitor(USER)
    try:
        with watched(USER) as first_answer, ThreadPoolExecutor(1) as pool:
            began = time.time()
            request = pool.submit(hub.request, USER, Wish())
            with httpx.Client(base_url=hub.url, verify=hub.trust, timeout=5, trust_env=False) as client:
                total = seconds_until(client, f"/user/{USER}/api", began, lambda: check(request))
            node = login().run("squeue", "-h", "-u", USER, "-o", "%N")
            return total, began + total - first_answer(node)
    finally:
        hub.stop([USER])
        cancel_jobs()


def check(request: Future[None]) -> None:
    """Raise what went wrong with a request that is over."""
    if request.done():
        request.result()


def report(found: dict[str, Found], rounds: int) -> str:
    """Make the section of the page."""
    head = (
        "what",
        "click to answer, s",
        "Berth / it",
        "aim",
        "hub after the server, s",
        "Berth / it",
        "failed",
    )
    own = found["Berth"]
    rows = [
        (
            name,
            page.spread(it.total, 2),
            "" if it is own else page.ratio(own.total, it.total),
            AIMS.get(name, ""),
            page.spread(it.after, 2),
            "" if it is own or not it.after else page.ratio(own.after, it.after),
            f"{len(it.failures)} of {rounds}" if it.failures else "0",
        )
        for name, it in found.items()
    ]
    failures = [f"- {name} failed: {text}" for name, it in found.items() for text in sorted(set(it.failures))]
    return page.section(TITLE, rounds, [head, *rows], "\n".join([NOTES.strip(), *failures]))
