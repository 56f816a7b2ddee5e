"""How many questions a hub asks Slurm in a minute, by the sessions that run or wait."""

from __future__ import annotations

import itertools
import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

from tests.bench import page
from tests.bench.hubs import FAILURES, Hub, reason, small
from tests.bench.stage import ACCOUNT, MEMORY, USERS, cancel_jobs, login
from tests.lab.cluster import CLUSTER, PARTITION
from tests.lab.slurm import on
from tests.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

TITLE: Final = "Questions to Slurm in a minute"
RUNNING: Final = (1, 10, 30)
WAITING: Final = 30
WINDOW_SECONDS: Final = 30.0
"""The peers look at each session once in that time."""
NOTES: Final = f"""
- All remote calls to slurmctld (`sdiag`) and to slurmdbd (`sacctmgr show stats`) in the name of the hub
  or of its users, in {WINDOW_SECONDS:g} s in which nobody starts or stops anything.
- Berth asks for everybody at once, here every 5 s (its default; the lab's own inventory says 2 s). The
  peers ask every 30 s for each session that runs, and twice a second for each that starts (their
  defaults).
- Berth's sessions are real ones of {MEMORY}; the peers' are stand-ins of a few lines, of the same size
  for Slurm.
- waiting: sessions that were asked for while no node has memory for them.
"""
COUNTERS: Final = {"slurmctld": ("sdiag",), "slurmdbd": ("sacctmgr", "show", "stats")}
Key: TypeAlias = tuple[str, str, str]
"""The sessions, whom was asked, and who asked."""
Rates: TypeAlias = dict[str, float]
"""Questions a minute by whom was asked."""
_BY_USER: Final = re.compile(r"^\s+(\S+)\s*\(\s*\d+\)\s+count:\s*(\d+)", re.MULTILINE)


def measure(hubs: Sequence[Hub], rounds: int) -> str:
    """Count for each hub, first with sessions that run, then with some that wait."""
    found: dict[Key, list[float]] = {}
    failures: list[str] = []
    for number in range(1, rounds + 1):
        for hub, ask in itertools.product(hubs, (_running, _waiting)):
            try:
                for kind, rates in ask(hub):
                    for whom, rate in rates.items():
                        found.setdefault((kind, whom, hub.name), []).append(rate)
                    said = ", ".join(f"{whom} {rate:.0f}" for whom, rate in rates.items())
                    print(f"queries {number}: {hub.name}, {kind}: {said} a minute", flush=True)
            except FAILURES as error:
                failures.append(f"- {hub.name} failed: {reason(error)}")
                print(failures[-1], flush=True)
    return report(found, [hub.name for hub in hubs], rounds, failures)


def _running(hub: Hub) -> Iterator[tuple[str, Rates]]:
    people = USERS[: max(RUNNING)]
    wishes, started = small(people), 0
    try:
        for count in RUNNING:
            added, started = people[started:count], count
            hub.start({user: wishes[user] for user in added})
            yield f"{count} running", _rates(hub)
    finally:
        hub.stop(people[:started])
        cancel_jobs()


def _waiting(hub: Hub) -> Iterator[tuple[str, Rates]]:
    people = USERS[:WAITING]
    wishes = small(people)
    with _no_memory_left(USERS[-1]):
        try:
            hub.start(wishes, ready=False)
            yield f"{WAITING} waiting", _rates(hub)
        finally:
            hub.stop(people)


@contextmanager
def _no_memory_left(user: str) -> Iterator[None]:
    machine = login()
    try:
        for node in CLUSTER:
            machine.run(
                *(
                    "sbatch",
                    f"--partition={PARTITION}",
                    f"--account={ACCOUNT}",
                    f"--mem={node.memory}M",
                    *on(node.name),
                ),
                *("--time=30", "--chdir=/", "--output=/dev/null", "--wrap=sleep infinity"),
                user=user,
            )
        full = ["squeue", "-h", "-u", user, "-t", "RUNNING", "-o", "%A"]
        until(lambda: len(machine.run(*full).split()) == len(CLUSTER), "nodes without memory", 30)
        yield
    finally:
        cancel_jobs()


def _rates(hub: Hub) -> Rates:
    """Questions a minute from now on, after what is left of starts has calmed down."""
    time.sleep(3)
    before, began = _questions(hub), time.monotonic()
    time.sleep(WINDOW_SECONDS)
    after, minutes = _questions(hub), (time.monotonic() - began) / 60
    return {whom: (after[whom] - before[whom]) / minutes for whom in after}


def _questions(hub: Hub) -> dict[str, int]:
    names = hub.owners | set(USERS)
    return {whom: count(login().run(*command), names) for whom, command in COUNTERS.items()}


def count(statistics: str, names: Collection[str]) -> int:
    """Count the remote calls in the name of some users, as Slurm's two daemons list them."""
    rows = _BY_USER.findall(statistics.partition("statistics by user")[2])
    return sum(int(calls) for name, calls in rows if name in names)


def report(
    found: Mapping[Key, Sequence[float]], names: Sequence[str], rounds: int, failures: Sequence[str]
) -> str:
    """Make the section of the page."""
    own, *others = names
    rows = [("sessions", "whom", own, *(text for name in others for text in (name, "Berth / it")))]
    kinds = [*(f"{count} running" for count in RUNNING), f"{WAITING} waiting"]
    for kind, whom in itertools.product(kinds, COUNTERS):
        ours = found.get((kind, whom, own), [])
        cells = [page.spread(ours, 0)]
        for name in others:
            theirs = found.get((kind, whom, name), [])
            cells += [page.spread(theirs, 0), page.ratio(ours, theirs)]
        rows.append((kind, whom, *cells))
    return page.section(TITLE, rounds, rows, "\n".join([NOTES.strip(), *failures]))
