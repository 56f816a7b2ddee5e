"""``python -I -m berth.environments``: the commands of `berth env`."""

from __future__ import annotations

import sys

from berth.environments.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
