"""A session that is asked to end while it loads ends, wherever the signal meets it."""

from __future__ import annotations

import os
import subprocess
import sys

# Python only reports what is raised while an object is finalised.
SWALLOWED = """
import os, signal, time
from berth.session import __main__ as session

class Finalised:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000):
            pass

signal.signal(signal.SIGTERM, session._leave)
Finalised()
print("goes on", flush=True)
time.sleep(60)
"""


def test_a_signal_whose_exception_python_swallows_ends_the_session_all_the_same() -> None:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", SWALLOWED]
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=30, check=False)
    assert ended.stdout == "goes on\n", ended.stderr
    assert ended.returncode == 143
