"""`make bench`: time starts of sessions beside the peers in one run, and write docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from typing import TYPE_CHECKING

from tests.bench import peers
from tests.lab.machines import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# ruff: noqa: T201 - a command that prints what it does

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
AIMS = {"the floor": 0.5, "stock batchspawner": 0.3}


def measure(rounds: int) -> dict[str, list[float]]:
    """Time each peer once a round, in turns, so that what else the machine does hits all alike."""
    peers.install()
    found: dict[str, list[float]] = {"Berth": [], "the floor": [], "stock batchspawner": []}
    with peers.stock_hub() as stock:
        timed = {"the floor": peers.floor, "stock batchspawner": stock, "Berth": peers.berth}
        for number in range(rounds + 1):
            for name, time_one in timed.items():
                seconds = time_one()
                if number:  # the first round warms caches for all
                    found[name].append(seconds)
                print(f"{'warm-up' if not number else f'round {number}'}: {name} {seconds:.2f} s", flush=True)
    return found


def report(found: Mapping[str, Sequence[float]]) -> str:
    """Return the page: seconds with their spread, and Berth as a ratio of each peer."""
    machine = f"{os.cpu_count()} cores, {platform.machine()}, {time.strftime('%Y-%m-%d')}"
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`; a run in the lab's containers on one machine, every peer in each round.",
        f"Machine: {machine}; {len(found['Berth'])} rounds after one warm-up.",
        "",
        "## From the click to the first answer of the session",
        "",
        "| what | median s | least s | most s | Berth / it | aim |",
        "|---|---|---|---|---|---|",
    ]
    own = statistics.median(found["Berth"])
    for name, seconds in found.items():
        median = statistics.median(seconds)
        ratio = f"{own / median:.2f}" if name != "Berth" else ""
        aim = f"<= {AIMS[name]}" if name in AIMS else ""
        lines.append(
            f"| {name} | {median:.2f} | {min(seconds):.2f} | {max(seconds):.2f} | {ratio} | {aim} |",
        )
    lines += [
        "",
        "- Berth: REST request to the first 200 of `/user/NAME/api` through nginx, TLS and the proxy.",
        "- stock batchspawner: the same request to JupyterHub with batchspawner in the same lab, plain HTTP.",
        "- the floor: plain `jupyter lab` started by `srun`, until it answers on its node.",
        "",
    ]
    return "\n".join(lines)


def main() -> int:
    """Measure, print and write the page."""
    text = report(measure(ROUNDS))
    print(text)
    (ROOT / "docs/benchmarks.md").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
