"""The longest time for which a hub's event loop does nothing else, by the state of slurmctld."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Final

from tests.bench import page
from tests.bench.hubs import small
from tests.bench.install import REMOTE
from tests.bench.readers import reading
from tests.bench.stage import STATES, USERS, cancel_jobs, login, slurmctld

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.hubs import Hub

TITLE: Final = "The longest block of the hub's event loop"
SESSIONS: Final = 3
READERS: Final = USERS[-5:]
EVERY_SECONDS: Final = 5.0
WINDOW_SECONDS: Final = 8.0
NOTES: Final = f"""
- The longest time that `/hub/health`, asked by the hub's own host every 10 ms on one connection, takes to
  answer within {WINDOW_SECONDS:g} s; all hubs are asked in the same way.
- Meanwhile {SESSIONS} sessions run, and somebody opens the form once a second (the home page, where there
  is no form).
- On a machine with few cores a part of this is the wait for a core, in all rows alike.
"""


def measure(hubs: Sequence[Hub], rounds: int) -> str:
    """Watch each hub in each state of slurmctld once a round, with sessions that run all the while."""
    people = {hub.name: USERS[number * SESSIONS : (number + 1) * SESSIONS] for number, hub in enumerate(hubs)}
    found: dict[tuple[str, str], list[float]] = {(hub.name, state): [] for state in STATES for hub in hubs}
    try:
        for hub in hubs:
            hub.start(small(people[hub.name]))
            for user in READERS:
                hub.visitor(user)
        for number in range(1, rounds + 1):
            for state in STATES:
                with slurmctld(state):
                    for hub in hubs:
                        longest = asyncio.run(_longest(hub))
                        found[hub.name, state].append(longest)
                        print(f"loop {number}: {hub.name}, slurmctld {state}: {longest:.0f} ms", flush=True)
    finally:
        for hub in hubs:
            hub.stop(people[hub.name])
        cancel_jobs()
    return report(found, rounds)


async def _longest(hub: Hub) -> float:
    script = ["python3", f"{REMOTE}/longest_wait.py", str(hub.port), str(WINDOW_SECONDS)]
    async with reading(hub, READERS, EVERY_SECONDS):
        process = await asyncio.create_subprocess_exec(
            *("docker", "exec", login().container, *script), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
    waits: list[float] = json.loads(output)
    return max(waits)


def report(found: dict[tuple[str, str], list[float]], rounds: int) -> str:
    """Make the section of the page."""
    head = ("slurmctld", "what", "longest wait, ms", "Berth / it")
    rows = [
        (
            state,
            name,
            page.spread(waits, 0),
            "" if name == "Berth" else page.ratio(found["Berth", state], waits),
        )
        for (name, state), waits in found.items()
    ]
    return page.section(TITLE, rounds, [head, *rows], NOTES)
