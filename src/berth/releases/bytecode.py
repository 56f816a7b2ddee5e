"""Byte-compile the Python files of a prefix; run by that prefix's own interpreter: `bytecode.py PREFIX`.

Users cannot write into a release, so without this each kernel would compile what it imports at each
start. The result depends on the source and the interpreter only, so that two builds give the same tree
and environments share the files: no time stamps (the source is not looked at again: it never changes),
paths relative to the prefix (Python puts the real ones in at import), and a process of its own, forked
from one that has compiled nothing, for each directory (what was compiled before would show in the result).
"""

from __future__ import annotations

import errno
import importlib.util
import os
import py_compile
import struct
import sys
import warnings
from pathlib import Path

_PARALLEL = os.cpu_count() or 1
_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})


def main(prefix: Path) -> None:
    """Compile every file below `lib/python*` that has no valid bytecode yet."""
    warnings.simplefilter("ignore")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    running = 0
    for directory, directories, names in os.walk(prefix / "lib" / version):
        directories[:] = sorted(name for name in directories if name != "__pycache__")
        sources = [Path(directory, name) for name in sorted(names) if name.endswith(".py")]
        todo = [source for source in sources if not source.is_symlink() and not _valid(source)]
        if not todo:
            continue
        if running == _PARALLEL:
            _wait()
            running -= 1
        if os.fork() == 0:
            _compile(todo, prefix)
        running += 1
    for _ in range(running):
        _wait()


def _wait() -> None:
    """Wait for a process that compiles; end where it could not write."""
    if os.wait()[1] != 0:
        sys.exit(1)


def _compile(sources: list[Path], prefix: Path) -> None:
    """Compile files and end this process; a file that is not valid Python has no bytecode."""
    for source in sources:
        try:
            py_compile.compile(
                str(source),
                dfile=str(source.relative_to(prefix)),
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
                doraise=True,
            )
        except Exception as error:  # noqa: BLE001 - whatever a file of others brings about
            if isinstance(error, OSError) and error.errno in _DISK:
                os.write(2, f"{source}: {error.strerror}\n".encode())
                os._exit(1)
    os._exit(0)


def _valid(source: Path) -> bool:
    """Tell whether the package brought bytecode that Python will take for this source."""
    try:
        with Path(importlib.util.cache_from_source(str(source))).open("rb") as file:
            head = file.read(16)
        status = source.stat()
    except OSError:
        return False
    stamp = struct.pack("<III", 0, int(status.st_mtime) & 0xFFFFFFFF, status.st_size & 0xFFFFFFFF)
    return head == importlib.util.MAGIC_NUMBER + stamp


if __name__ == "__main__":
    main(Path(sys.argv[1]))
