"""How long the form takes to come while fifty others read it, by the state of slurmctld."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

import httpx

from tests.bench import page
from tests.bench.readers import TIMEOUT_SECONDS, browser, reading
from tests.bench.stage import STATES, USERS, slurmctld

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.bench.hub import Hub

TITLE: Final = "The form while fifty others read it"
READERS: Final = USERS[1:]
EVERY_SECONDS: Final = 5.0
"""How often each of them opens it."""
WINDOW_SECONDS: Final = 6.0
PAUSE_SECONDS: Final = 0.1
ENOUGH: Final = 20
"""Fewer openings than this say nothing about one in twenty."""
NOTES: Final = f"""
- p50, p95: milliseconds until one more user has the form, who opens it again and again for
  {WINDOW_SECONDS:g} s, while {len(READERS)} others open it every {EVERY_SECONDS:g} s (and do what
  its scripts do: listen to its event stream, ask for advice).
- stopped: slurmctld got SIGSTOP, its port is open and nobody answers; dead: it does not run.
- failed: of the user's openings, those that gave no form, and the median of the seconds until that was clear.
  Without an answer within {TIMEOUT_SECONDS:g} s an opening failed.
- stock batchspawner has no form: opening its page starts a session.
"""


class Opening(NamedTuple):
    """One time that the user opened the form: how long it took, and why there was none (empty: there was)."""

    milliseconds: float
    failure: str


def measure(hubs: Sequence[Hub], rounds: int) -> str:
    """Read the form of those that have one, in each state of slurmctld once a round."""
    with_form = [hub for hub in hubs if hub.page == "/hub/spawn"]
    for hub, user in itertools.product(with_form, USERS):
        hub.visitor(user)
    found: dict[tuple[str, str], list[list[Opening]]] = {
        (state, hub.name): [] for state in STATES for hub in with_form
    }
    for number, state in itertools.product(range(1, rounds + 1), STATES):
        with slurmctld(state):
            for hub in with_form:
                openings = asyncio.run(_window(hub))
                found[state, hub.name].append(openings)
                said = f"p50 {page.spread(_quantiles([openings], 50), 0)} ms, failed {_failed(openings)}"
                print(f"form {number}: {hub.name}, slurmctld {state}: {said}", flush=True)
    return report(found, rounds)


async def _window(hub: Hub) -> list[Opening]:
    openings = []
    async with reading(hub, READERS, EVERY_SECONDS), browser(hub, USERS[0]) as client:
        await asyncio.sleep(EVERY_SECONDS)  # until everybody is connected
        end = time.perf_counter() + WINDOW_SECONDS
        while (asked := time.perf_counter()) < end:
            failure = await _opened(client, hub.page)
            openings.append(Opening(1000 * (time.perf_counter() - asked), failure))
            await asyncio.sleep(PAUSE_SECONDS)
    return openings


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


def _quantiles(rounds: Iterable[Sequence[Opening]], percent: int) -> list[float]:
    """The milliseconds under which so many of a hundred forms came, for each round with enough of them."""
    forms = [[item.milliseconds for item in openings if not item.failure] for openings in rounds]
    return [
        statistics.quantiles(waits, n=100, method="inclusive")[percent - 1]
        for waits in forms
        if len(waits) >= ENOUGH
    ]


def _failed(openings: Sequence[Opening]) -> str:
    reasons = defaultdict(list)
    for item in openings:
        if item.failure:
            reasons[item.failure].append(item.milliseconds)
    why = [f"{text} after {statistics.median(waits) / 1000:.1f} s" for text, waits in reasons.items()]
    lost = sum(map(len, reasons.values()))
    return f"{lost} of {len(openings)}{': ' if why else ''}{', '.join(why)}"


def report(found: dict[tuple[str, str], list[list[Opening]]], rounds: int) -> str:
    """Make the section of the page."""
    rows: list[tuple[str, ...]] = [
        ("slurmctld", "what", "p50, ms", "Berth / it", "p95, ms", "Berth / it", "failed")
    ]
    for (state, name), windows in found.items():
        cells = []
        for percent in (50, 95):
            own, it = _quantiles(found[state, "Berth"], percent), _quantiles(windows, percent)
            cells += [page.spread(it, 0), "" if name == "Berth" else page.ratio(own, it)]
        rows.append((state, name, *cells, _failed([*itertools.chain(*windows)])))
    return page.section(TITLE, rounds, rows, NOTES)
