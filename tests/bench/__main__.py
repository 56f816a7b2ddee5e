"""`make bench`: measure beside the peers in one run, and write docs/benchmarks.md.

`python -m tests.bench [start] [launcher] [queries] [form] [loop]` measures some parts only; the others keep
their sections of the page.
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import sys
from contextlib import ExitStack
from typing import Final

from tests.bench import form, hubs, install, launcher, loop, page, queries, stage, start

ROUNDS: Final = int(os.environ.get("BENCH_ROUNDS", "5"))
PARTS: Final = {"start": start, "launcher": launcher, "queries": queries, "form": form, "loop": loop}
SHARE: Final = {"start": 1, "launcher": 1, "queries": 5, "form": 3, "loop": 3}
"""One round of a part for so many of ROUNDS: the longer a round takes and the less it varies, the fewer."""


def main(arguments: list[str]) -> int:
    """Measure the parts that were asked for, print and write their sections."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="part", help=", ".join(PARTS))
    chosen = parser.parse_args(arguments).parts or list(PARTS)
    # Told to end, it puts the lab back first, as it does on Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        stage.refuse_if_in_use()
    except stage.InUseError as error:
        print(error, file=sys.stderr)
        return 1
    install.install()
    with ExitStack() as stack:
        password = stack.enter_context(stage.users())
        stack.enter_context(stage.berth_settings())
        contenders = [stack.enter_context(hub(password)) for hub in (hubs.berth, hubs.stock, hubs.moss)]
        for name in chosen:
            section = PARTS[name].measure(contenders, math.ceil(ROUNDS / SHARE[name]))
            print(f"\n{section}\n", flush=True)
            page.write([section], [part.TITLE for part in PARTS.values()])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
