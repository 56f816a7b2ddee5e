"""The longest time for which a hub's event loop does nothing else, by the state of slurmctld."""

from __future__ import annotations

import asyncio
import itertools
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from tests.bench import page
from tests.bench.hub import FAILURES, reason, small
from tests.bench.install import REMOTE
from tests.bench.readers import reading
from tests.bench.stage import STATES, USERS, cancel_jobs, login, slurmctld

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.bench.hub import Hub

TITLE: Final = "The longest block of the hub's event loop"
SESSIONS: Final = 3
READERS: Final = USERS[-5:]
EVERY_SECONDS: Final = 5.0
WINDOW_SECONDS: Final = 40.0
"""Longer than the 30 s after which a question of the collector gives up."""
NOTES: Final = f"""
- The longest time that `/hub/health`, asked by the hub's own host every 10 ms on one connection, takes to
  answer within {WINDOW_SECONDS:g} s; all hubs are asked in the same way.
- Meanwhile {SESSIONS} sessions run, and somebody opens the form once a second (the home page, where there is
  no form).
- design.md's aim is that the loop is never blocked for more than 50 ms; the peers, which keep no picture of
  the cluster in their process, have less to do between two requests.
- A question of the collector gives up after 30 s: what the hub does then is in this window.
- On a machine with few cores a part of this is the wait for a core, in all rows alike.
"""


def measure(hubs: Sequence[Hub], rounds: int) -> str:
    """Watch each hub in each state of slurmctld once a round, with sessions that run all the while."""
    found: dict[tuple[str, str], list[float]] = {(state, hub.name): [] for state in STATES for hub in hubs}
    failures: list[str] = []
    with _sessions(hubs):
        for number, state in itertools.product(range(1, rounds + 1), STATES):
            with slurmctld(state):
                for hub in hubs:
                    try:
                        longest = asyncio.run(_longest(hub))
                    except FAILURES as error:
                        failures.append(f"- {hub.name} failed while slurmctld was {state}: {reason(error)}")
                        print(failures[-1], flush=True)
                        continue
                    found[state, hub.name].append(longest)
                    print(f"loop {number}: {hub.name}, slurmctld {state}: {longest:.0f} ms", flush=True)
    return report(found, rounds, failures)


@contextmanager
def _sessions(hubs: Sequence[Hub]) -> Iterator[None]:
    people = {hub.name: USERS[number * SESSIONS :][:SESSIONS] for number, hub in enumerate(hubs)}
    try:
        for hub in hubs:
            hub.start(small(people[hub.name]))
            for user in READERS:
                hub.visitor(user)
        yield
    finally:
        for hub in hubs:
            hub.stop(people[hub.name])
        cancel_jobs()


async def _longest(hub: Hub) -> float:
    script = ["python3", f"{REMOTE}/longest_wait.py", str(hub.port), str(WINDOW_SECONDS)]
    async with reading(hub, READERS, EVERY_SECONDS):
        process = await asyncio.create_subprocess_exec(
            *("docker", "exec", login().container, *script), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError("/hub/health did not answer")
    waits: list[float] = json.loads(output)
    return max(waits)


def report(found: dict[tuple[str, str], list[float]], rounds: int, failures: Sequence[str]) -> str:
    """Make the section of the page."""
    rows = [("slurmctld", "what", "longest wait, ms", "Berth / it")]
    for (state, name), waits in found.items():
        ratio = "" if name == "Berth" else page.ratio(found[state, "Berth"], waits)
        rows.append((state, name, page.spread(waits, 0), ratio))
    return page.section(TITLE, rounds, rows, "\n".join([NOTES.strip(), *failures]))
