"""How many questions a hub asks Slurm in a minute, by the sessions that run or wait."""

from __future__ import annotations

import itertools
import re
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tests.bench import page
from tests.bench.hub import FAILURES, Hub, reason, small
from tests.bench.stage import ACCOUNT, MEMORY, USERS, cancel_jobs, login
from tests.lab.cluster import CLUSTER, PARTITION
from tests.lab.slurm import on
from tests.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

TITLE: Final = "Questions to Slurm in a minute"
TOGETHER: Final = (1, 10)
"""Sessions of each hub that run at the same time as those of the others: the lab has room for them."""
ALONE: Final = 30
"""Sessions that run, and then sessions that wait, of one hub at a time."""
CALM_SECONDS: Final = 3.0
"""What is left of starts is over by then."""
WINDOW_SECONDS: Final = 60.0
"""The peers look at each session twice in that time, Berth at the accounts once (`hub.collector`)."""
NOTES: Final = f"""
- All remote calls to slurmctld (`sdiag`) and to slurmdbd (`sacctmgr show stats`) in the name of the hub or of
  its users, in {WINDOW_SECONDS:g} s in which nobody starts or stops anything.
- Berth asks for everybody at once, here every 5 s (its default; the lab's own inventory says 2 s). The peers
  look every 30 s at each session that runs, and twice a second at each that starts (their defaults).
- Berth's sessions are real ones of {MEMORY}; the peers' are stand-ins of a few lines, of the same size for
  Slurm.
- waiting: sessions that were asked for while no node has memory for them.
- Berth's questions are a fixed cost for everybody: for slurmctld more than the peers' up to about ten
  sessions that run, less above; the peers, which tell nobody limits and why it ended, ask slurmdbd nothing.
"""
COUNTERS: Final = {"slurmctld": ("sdiag",), "slurmdbd": ("sacctmgr", "show", "stats")}
_BY_USER: Final = re.compile(r"^\s+(\S+)\s*\(\s*\d+\)\s+count:\s*(\d+)", re.MULTILINE)


def measure(hubs: Sequence[Hub], rounds: int) -> str:
    """Count for all hubs with some sessions that run, then for one at a time with many that run or wait."""
    tally = Tally()
    for _ in range(rounds):
        _running(tally, hubs, TOGETHER)
        for hub in hubs:
            _running(tally, [hub], (ALONE,))
            _waiting(tally, hub)
    return report(tally, [hub.name for hub in hubs], rounds)


@dataclass
class Tally:
    """What was counted, and what failed."""

    found: dict[tuple[str, str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    """Questions a minute by the sessions, whom was asked, and who asked."""
    failures: list[str] = field(default_factory=list)

    def window(self, kind: str, teams: Sequence[tuple[Hub, Sequence[str]]]) -> None:
        """Count what hubs ask from now on, in their own name and in that of their users."""
        names = {hub.name: hub.owners | set(people) for hub, people in teams}
        time.sleep(CALM_SECONDS)
        before, began = _statistics(), time.monotonic()
        time.sleep(WINDOW_SECONDS)
        after, minutes = _statistics(), (time.monotonic() - began) / 60
        for whom, (name, people) in itertools.product(COUNTERS, names.items()):
            rate = (count(after[whom], people) - count(before[whom], people)) / minutes
            self.found[kind, whom, name].append(rate)
            print(f"queries: {name}, {kind}: {rate:.0f} a minute to {whom}", flush=True)

    def failed(self, hub: Hub, error: BaseException) -> None:
        """Note that a hub could not be brought to where it was to be counted."""
        self.failures.append(f"- {hub.name} failed: {reason(error)}")
        print(self.failures[-1], flush=True)


def _running(tally: Tally, hubs: Sequence[Hub], counts: Sequence[int]) -> None:
    size = max(counts)
    teams = [(hub, USERS[number * size :][:size]) for number, hub in enumerate(hubs)]
    started: list[tuple[Hub, Sequence[str]]] = []
    try:
        for already, wanted in itertools.pairwise((0, *counts)):
            started = []
            for hub, people in teams:
                wishes = small(people)
                try:
                    hub.start({user: wishes[user] for user in people[already:wanted]})
                except FAILURES as error:
                    tally.failed(hub, error)
                else:
                    started.append((hub, people))
            tally.window(f"{wanted} running", started)
    finally:
        for hub, people in teams:
            hub.stop(people)
        cancel_jobs()


def _waiting(tally: Tally, hub: Hub) -> None:
    people = USERS[:ALONE]
    with _no_memory_left(USERS[-1]):
        try:
            hub.start(small(people), ready=False)
            tally.window(f"{ALONE} waiting", [(hub, people)])
        except FAILURES as error:
            tally.failed(hub, error)
        finally:
            hub.stop(people)


@contextmanager
def _no_memory_left(user: str) -> Iterator[None]:
    machine = login()
    try:
        for node in CLUSTER:
            whole = (f"--mem={node.memory}M", *on(node.name), f"--account={ACCOUNT}")
            quiet = ("--chdir=/", "--output=/dev/null", "--time=30", "--wrap=sleep infinity")
            machine.run("sbatch", f"--partition={PARTITION}", *whole, *quiet, user=user)
        full = ["squeue", "-h", "-u", user, "-t", "RUNNING", "-o", "%A"]
        until(lambda: len(machine.run(*full).split()) == len(CLUSTER), "nodes without memory", 30)
        yield
    finally:
        cancel_jobs()


def _statistics() -> dict[str, str]:
    return {whom: login().run(*command) for whom, command in COUNTERS.items()}


def count(statistics: str, names: Collection[str]) -> int:
    """Count the remote calls in the name of some users, as Slurm's two daemons list them."""
    rows = _BY_USER.findall(statistics.partition("statistics by user")[2])
    return sum(int(calls) for name, calls in rows if name in names)


def report(tally: Tally, names: Sequence[str], rounds: int) -> str:
    """Make the section of the page."""
    own, *others = names
    rows = [("sessions", "whom", own, *(text for name in others for text in (name, "Berth / it")))]
    kinds = [*(f"{count} running" for count in (*TOGETHER, ALONE)), f"{ALONE} waiting"]
    for kind, whom in itertools.product(kinds, COUNTERS):
        ours = tally.found[kind, whom, own]
        cells = [page.spread(ours, 0)]
        for name in others:
            theirs = tally.found[kind, whom, name]
            cells += [page.spread(theirs, 0), page.ratio(ours, theirs)]
        rows.append((kind, whom, *cells))
    return page.section(TITLE, rounds, rows, "\n".join([NOTES.strip(), *tally.failures]))
