"""Build this project's wheel into build/dist and print its path and sha256 as JSON.

Runs on the controller, in the project's directory, with the controller's own hatchling: nothing is
downloaded. The build is reproducible: the digest changes when the content does, and only then.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

from hatchling.build import build_wheel

TIMESTAMP = "1580601600"
"""Seconds since 1970 given to every file in the wheel: hatchling's own default, made explicit."""


def main() -> None:
    """Build, then say where the wheel is and what it holds."""
    os.environ["SOURCE_DATE_EPOCH"] = TIMESTAMP
    directory = Path.cwd() / "build" / "dist"
    directory.mkdir(parents=True, exist_ok=True)
    wheel = directory / build_wheel(str(directory))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    sys.stdout.write(json.dumps({"path": str(wheel), "sha256": digest}))


if __name__ == "__main__":
    main()
