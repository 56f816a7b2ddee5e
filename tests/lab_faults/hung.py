"""Directories that hang as one does that is mounted on demand from a server that is away."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.machines import Machine

UNIT = "lab-hung"
# An automounter that never mounts: whoever goes into the directory waits in the kernel, until this ends.
_NEVER_MOUNTS = """
import ctypes, fcntl, os, signal, sys
place, libc = sys.argv[1], ctypes.CDLL(None, use_errno=True)
_, asks = os.pipe()
os.setpgid(0, 0) if os.getpgrp() != os.getpid() else None
options = f"fd={asks},pgrp={os.getpgrp()},minproto=5,maxproto=5,direct"
if libc.mount(b"lab", place.encode(), b"autofs", 0, options.encode()):
    raise OSError(ctypes.get_errno(), "cannot be mounted", place)
root = os.open(place, os.O_RDONLY)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print("it hangs", flush=True)
signal.sigwait([signal.SIGTERM])
AUTOFS_IOC_CATATONIC = 0x9362  # who waits is told that there is nothing
fcntl.ioctl(root, AUTOFS_IOC_CATATONIC, 0)
os.close(root)
MNT_DETACH = 2
sys.exit(libc.umount2(place.encode(), MNT_DETACH))
"""


@contextmanager
def hung(machine: Machine, directory: str, service: str = "") -> Iterator[None]:
    """A directory in which every look waits, for what starts from now on; or for a service that runs.

    A service sees the directories as they were when it started. What waits can be killed, and goes on
    at the end.
    """
    sees = machine.property(service, "MainPID") if service else "1"
    enter = ("nsenter", f"--target={sees}", "--mount")
    script = ("python3", "-c", _NEVER_MOUNTS, directory)
    machine.run("systemd-run", "--quiet", "--collect", f"--unit={UNIT}", *enter, *script)
    try:
        until(lambda: "]: it hangs" in machine.journal("-10s", UNIT), "a directory that hangs", 10)
        yield
    finally:
        machine.run("systemctl", "stop", UNIT)
        assert f" {directory} autofs " not in machine.run("cat", "/proc/mounts")
