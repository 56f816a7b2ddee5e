"""Run a command for which the kernel refuses hard links, as a file system without them does: a real errno.

`python refusing.py ERRNO COMMAND …`
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys

# Of linux/filter.h, linux/seccomp.h and linux/audit.h.
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
REFUSE, ALLOW = 0x00050000, 0x7FFF0000
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2
MACHINES = {"x86_64": (0xC000003E, (86, 265)), "aarch64": (0xC00000B7, (37,))}
"""The machine's number, and those of its calls that make hard links."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def refuse(number: int) -> None:
    """Let every later hard link of this process and of its children fail with that errno."""
    machine, calls = MACHINES[platform.machine()]
    steps = [(LOAD, 0, 0, 4), (EQUAL, 0, len(calls) + 1, machine), (LOAD, 0, 0, 0)]
    steps += [(EQUAL, len(calls) - index, 0, call) for index, call in enumerate(calls)]
    steps += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE | number)]
    program = _Program(len(steps), b"".join(struct.pack("HBBI", *step) for step in steps))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(SECCOMP, FILTER, ctypes.byref(program)):
        raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    refuse(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - a test's own command
