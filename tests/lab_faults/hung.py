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
print("hung", flush=True)
signal.sigwait([signal.SIGTERM])
AUTOFS_IOC_CATATONIC = 0x9362  # who waits is told that there is nothing
fcntl.ioctl(root, AUTOFS_IOC_CATATONIC, 0)
os.close(root)
MNT_DETACH = 2
sys.exit(libc.umount2(place.encode(), MNT_DETACH))
"""


@contextmanager
def hung(machine: Machine, directory: str) -> Iterator[None]:
    """A directory in which every look waits. What waits can be killed, and goes on at the end."""
    script = ("python3", "-c", _NEVER_MOUNTS, directory)
    machine.run("systemd-run", "--quiet", "--collect", f"--unit={UNIT}", *script)
    try:
        until(lambda: f" {directory} autofs " in machine.run("cat", "/proc/mounts"), "a mount", 10)
        yield
    finally:
        machine.run("systemctl", "stop", UNIT)
        assert f" {directory} autofs " not in machine.run("cat", "/proc/mounts")
