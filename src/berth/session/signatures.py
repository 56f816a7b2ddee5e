"""Which notebooks the user trusts: Jupyter's database of signatures, off the home while a session runs.

SQLite's locks fail or hang on network file systems. The session works on a copy on the node's own disk, and
puts it back when it ends.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
from pathlib import Path
from typing import Final

_LOG: Final = logging.getLogger(__name__)
_NAME: Final = "nbsignatures.db"
_KEPT: Final = Path(".local/share/jupyter") / _NAME


def bring(home: Path, runtime: Path) -> Path:
    """Give the path of the session's own copy; where the home has none that can be read, it begins empty."""
    copy, kept = runtime / _NAME, home / _KEPT
    try:
        if kept.is_file():
            shutil.copyfile(kept, copy)
    except OSError as error:
        _LOG.warning("which notebooks are trusted cannot be read: %s", error)
        copy.unlink(missing_ok=True)
    return copy


def keep(home: Path, runtime: Path) -> None:
    """Put the copy back, if it changed; a home that takes none keeps what it had."""
    copy, kept = runtime / _NAME, home / _KEPT
    new = kept.with_name(f".{_NAME}.berth")
    try:
        if not copy.is_file() or (kept.is_file() and copy.read_bytes() == kept.read_bytes()):
            return
        kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(copy, new)
        new.replace(kept)
    except OSError as error:
        _LOG.warning("which notebooks are trusted cannot be kept: %s", error)
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
