"""On a compute node: print when a user's session there first answers (Unix time), from outside of it.

Run as root: `python3 first_answer.py UID PATH`, until the end of its standard input. Prints "ready" when it
watches, then that time. A session that listens before it can answer (Berth's) and one that listens when it
can (the peers') are judged alike: by their first answer.
"""

import http.client
import select
import sys
import time
from collections.abc import Iterator
from pathlib import Path

LISTEN = "0A"
PAUSE_SECONDS = 0.01


def listeners(uid: str) -> Iterator[tuple[str, int]]:
    """The inode and the port of every TCP socket of a user that accepts connections."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTEN and fields[7] == uid:
                yield fields[9], int(fields[1].rpartition(":")[2], 16)


def python_holds(inode: str) -> bool:
    """Whether the socket is a Python program's: srun, which listens as well, must be left alone."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(link.readlink()) == f"socket:[{inode}]":
                return "python" in (link.parents[1] / "exe").readlink().name
        except OSError:  # it went meanwhile
            continue
    return False


def answers(port: int, path: str) -> bool:
    """Whether a server on this node answers, with whatever status; waits for a slow one."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def watch(uid: str, path: str) -> float | None:
    """Return when the session first answered; None if nobody wanted to know any more."""
    others: set[str] = set()
    while not select.select([sys.stdin], [], [], PAUSE_SECONDS)[0]:
        for inode, port in listeners(uid):
            if inode in others:
                continue
            if not python_holds(inode):
                others.add(inode)
            elif answers(port, path):
                return time.time()
    return None


if __name__ == "__main__":
    print("ready", flush=True)
    print(watch(sys.argv[1], sys.argv[2]), flush=True)
