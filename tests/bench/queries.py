"""How many questions a hub asks Slurm in a minute, by the sessions that run or wait."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from tests.bench import page
from tests.bench.hubs import Hub, small
from tests.bench.stage import ACCOUNT, MEMORY, USERS, cancel_jobs, login
from tests.lab.cluster import CLUSTER, PARTITION
from tests.lab.slurm import on
from tests.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
_BY_USER: Final = re.compile(r"^\s+(\S+)\s*\(\s*\d+\)\s+count:\s*(\d+)", re.MULTILINE)


def measure(hubs: Sequence[Hub], rounds: int) -> str:
    """Count for each hub, first with sessions that run, then with some that wait."""
    kinds = [f"{count} running" for count in RUNNING] + [f"{WAITING} waiting"]
    found: dict[str, dict[str, list[float]]] = {hub.name: {kind: [] for kind in kinds} for hub in hubs}
    for number in range(1, rounds + 1):
        for hub in hubs:
            for kind, rate in [*_running(hub), *_waiting(hub)]:
                found[hub.name][kind].append(rate)
                print(f"queries {number}: {hub.name}, {kind}: {rate:.0f} a minute", flush=True)
    return report(found, kinds, rounds)


def _running(hub: Hub) -> Iterator[tuple[str, float]]:
    people = USERS[: max(RUNNING)]
    wishes, started = small(people), 0
    try:
        for count in RUNNING:
            hub.start({user: wishes[user] for user in people[started:count]})
            started = count
            yield f"{count} running", _rate(hub)
    finally:
        hub.stop(people[:started])
        cancel_jobs()


def _waiting(hub: Hub) -> Iterator[tuple[str, float]]:
    people = USERS[:WAITING]
    wishes = small(people)
    with _no_memory_left(USERS[-1]):
        try:
            hub.start(wishes, ready=False)
            yield f"{WAITING} waiting", _rate(hub)
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


def _rate(hub: Hub) -> float:
    """Questions a minute from now on, after what is left of starts has calmed down."""
    time.sleep(3)
    before, began = _questions(hub), time.monotonic()
    time.sleep(WINDOW_SECONDS)
    return (_questions(hub) - before) * 60 / (time.monotonic() - began)


def _questions(hub: Hub) -> int:
    names = hub.owners | set(USERS)
    texts = (login().run("sdiag"), login().run("sacctmgr", "show", "stats"))
    rows = [row for text in texts for row in _BY_USER.findall(text.partition("statistics by user")[2])]
    return sum(int(count) for name, count in rows if name in names)


def report(found: dict[str, dict[str, list[float]]], kinds: Sequence[str], rounds: int) -> str:
    """Make the section of the page."""
    own, *others = found
    head = ("sessions", own, *(text for name in others for text in (name, "Berth / it")))
    rows = [
        (
            kind,
            page.spread(found[own][kind], 0),
            *(
                text
                for name in others
                for text in (
                    page.spread(found[name][kind], 0),
                    page.ratio(found[own][kind], found[name][kind]),
                )
            ),
        )
        for kind in kinds
    ]
    return page.section(TITLE, rounds, [head, *rows], NOTES)
