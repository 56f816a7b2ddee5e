"""What tests, and the programs that they start, put into the directory for temporary files goes with the run.

pytest's own directories stay where they are: those of the last runs are there to be looked at.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

# When this is read, before the modules that copy the environment. The name is short for unix sockets.
_place = tempfile.TemporaryDirectory(prefix="b-", ignore_cleanup_errors=True)
Path(_place.name).chmod(0o1777)  # as the one it stands for: some tests become another user
os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
os.environ["TMPDIR"] = tempfile.tempdir = _place.name


def pytest_unconfigure() -> None:
    """Remove it now: py-rattler's threads can abort the process at its very end."""
    _place.cleanup()
