"""How long the form takes to come while fifty others read it, by the state of slurmctld."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import httpx

from tests.bench import page
from tests.bench.readers import TIMEOUT_SECONDS, browser, reading
from tests.bench.stage import STATES, USERS, slurmctld

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.hubs import Hub

TITLE: Final = "The form while fifty others read it"
READERS: Final = USERS[1:]
EVERY_SECONDS: Final = 5.0
"""How often each of them opens it."""
WINDOW_SECONDS: Final = 8.0
PAUSE_SECONDS: Final = 0.1
NOTES: Final = f"""
- p50, p95: milliseconds until one more user has the form, who opens it again and again for
  {WINDOW_SECONDS:g} s, while {len(READERS)} others open it every {EVERY_SECONDS:g} s (and listen to its
  event stream, where it has one).
- stopped: slurmctld got SIGSTOP, its port is open and nobody answers; dead: it does not run.
- failed: of all openings, those that gave no form. Without an answer within {TIMEOUT_SECONDS:g} s an
  opening failed.
- stock batchspawner has no form: opening its page starts a session.
"""


@dataclass
class Found:
    """What the rounds gave for one hub and state: milliseconds, and how often there was no form, and why."""

    p50: list[float] = field(default_factory=list)
    p95: list[float] = field(default_factory=list)
    openings: int = 0
    failures: Counter[str] = field(default_factory=Counter)

    def add(self, waits: Sequence[float], failures: Counter[str]) -> None:
        """Take in one round."""
        self.openings += len(waits) + failures.total()
        self.failures += failures
        if len(waits) > 1:
            self.p50.append(statistics.median(waits))
            self.p95.append(statistics.quantiles(waits, n=20, method="inclusive")[-1])


def measure(hubs: Sequence[Hub], rounds: int) -> str:
    """Read the form of those that have one, in each state of slurmctld once a round."""
    with_form = [hub for hub in hubs if hub.page == "/hub/spawn"]
    for hub in with_form:
        for user in USERS:
            hub.visitor(user)
    found = {(hub.name, state): Found() for state in STATES for hub in with_form}
    for number in range(1, rounds + 1):
        for state in STATES:
            with slurmctld(state):
                for hub in with_form:
                    waits, failures = asyncio.run(_window(hub))
                    found[hub.name, state].add(waits, failures)
                    said = f"{statistics.median(waits):.0f} ms" if waits else "no form"
                    print(
                        f"form {number}: {hub.name}, slurmctld {state}: {said}, {dict(failures)}", flush=True
                    )
    return report(found, rounds)


async def _window(hub: Hub) -> tuple[list[float], Counter[str]]:
    waits: list[float] = []
    failures: Counter[str] = Counter()
    async with reading(hub, READERS, EVERY_SECONDS), browser(hub, USERS[0]) as client:
        end = time.perf_counter() + WINDOW_SECONDS
        while (asked := time.perf_counter()) < end:
            failure = await _opened(client, hub.page)
            if failure:
                failures[failure] += 1
            else:
                waits.append(1000 * (time.perf_counter() - asked))
            await asyncio.sleep(PAUSE_SECONDS)
    return waits, failures


async def _opened(client: httpx.AsyncClient, path: str) -> str:
    """Open the form; return why there was none, or nothing."""
    try:
        answer = await client.get(path)
    except httpx.TimeoutException:
        return "no answer"
    except httpx.HTTPError as error:
        return type(error).__name__
    if answer.status_code != httpx.codes.OK:
        return f"status {answer.status_code}"
    return "" if 'id="spawn_form"' in answer.text else "a page without the form"


def report(found: dict[tuple[str, str], Found], rounds: int) -> str:
    """Make the section of the page."""
    head = ("slurmctld", "what", "p50, ms", "Berth / it", "p95, ms", "Berth / it", "failed")
    rows = []
    for (name, state), it in found.items():
        own = found["Berth", state]
        why = ", ".join(f"{text} ({count})" for text, count in it.failures.items())
        rows.append(
            (
                state,
                name,
                page.spread(it.p50, 0),
                "" if it is own else page.ratio(own.p50, it.p50),
                page.spread(it.p95, 0),
                "" if it is own else page.ratio(own.p95, it.p95),
                f"{it.failures.total()} of {it.openings}{f': {why}' if why else ''}",
            )
        )
    return page.section(TITLE, rounds, [head, *rows], NOTES)
