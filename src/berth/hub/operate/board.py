"""Where notices are kept: one JSON file in the hub's state, read again whenever it changed."""

from __future__ import annotations

import json
import logging
import os
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from berth.hub.operate.notices import Announcement, Kept, Notices

if TYPE_CHECKING:
    from pathlib import Path

    from berth.hub.operate.notices import Maintenance

FILE: Final = "notices.json"
MAX_ANNOUNCEMENTS: Final = 50
SITE: Final = "site-"
"""How the names of announcements begin that come with the hub's settings."""
log = logging.getLogger("berth.notices")


class BoardError(Exception):
    """What was asked for cannot be done; the text is a sentence."""


@dataclass
class Board:
    """The notices of one hub. The journal tells of a file that cannot be read; what was read before holds."""

    path: Path
    site: tuple[Announcement, ...] = ()
    """Announcements of the settings, which only the settings take back."""
    _known: Notices = field(default_factory=Notices)
    _stamp: tuple[int, int, int] | None = None

    def announcements(self, now: float) -> tuple[Kept, ...]:
        """Return what is announced or will be, those of the settings first."""
        fixed = (Kept(id=f"{SITE}{place}", **dict(item)) for place, item in enumerate(self.site, start=1))
        return tuple(item for item in (*fixed, *self._read().announcements) if not item.over(now))

    def maintenance(self, now: float) -> Maintenance | None:
        """Return the maintenance that is or will be."""
        found = self._read().maintenance
        return None if found is None or found.over(now) else found

    def closed(self, now: float) -> Maintenance | None:
        """Return the maintenance that keeps new sessions from starting; None: they start."""
        found = self.maintenance(now)
        return found if found is not None and found.active(now) else None

    def announce(self, announcement: Announcement) -> Kept:
        """Keep an announcement. Raises BoardError where it would be over, or there are too many."""
        now = time.time()
        if announcement.over(now):
            raise BoardError("The end of the announcement has passed.")
        others = tuple(item for item in self._read().announcements if not item.over(now))
        if len(others) >= MAX_ANNOUNCEMENTS:
            raise BoardError(f"There are {MAX_ANNOUNCEMENTS} announcements already: remove one first.")
        taken = {item.id for item in others}
        name = next(name for name in iter(lambda: secrets.token_hex(2), "") if name not in taken)
        kept = Kept(id=name, **dict(announcement))
        self._write(announcements=(*others, kept))
        return kept

    def remove(self, name: str) -> None:
        """Take an announcement back. Raises BoardError where there is none of that name."""
        if name.startswith(SITE):
            raise BoardError(f"{name} comes with the settings: take it out of hub_announcements.")
        kept = self._read().announcements
        left = tuple(item for item in kept if item.id != name)
        if len(left) == len(kept):
            raise BoardError(f"There is no announcement {name}.")
        self._write(announcements=left)

    def set_maintenance(self, maintenance: Maintenance | None) -> None:
        """Put a maintenance in the place of the one that is there; None: there is none any more."""
        if maintenance is not None and maintenance.over(time.time()):
            raise BoardError("The end of the maintenance has passed.")
        self._write(maintenance=maintenance)

    def _read(self) -> Notices:
        try:
            status = self.path.stat()
            stamp = (status.st_mtime_ns, status.st_ino, status.st_size)
            if stamp != self._stamp:
                self._stamp = stamp  # also where it is broken: the journal says so once for each change
                self._known = Notices.model_validate_json(self.path.read_bytes())
        except FileNotFoundError:
            self._known, self._stamp = Notices(), None
        except (OSError, ValidationError) as error:
            log.warning("%s cannot be used; what was announced before holds on: %s", self.path, error)
        return self._known

    def _write(self, **changes: object) -> None:
        """Replace the file as a whole. Raises BoardError where that fails; nothing has changed then."""
        changed = self._read().model_copy(update=changes)
        new = self.path.with_suffix(".new")
        try:
            new.write_text(
                json.dumps(changed.to_dict(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
            )
            os.replace(new, self.path)  # noqa: PTH105 - says that it replaces
        except OSError as error:
            with suppress(OSError):
                new.unlink(missing_ok=True)
            raise BoardError(f"{self.path} cannot be written: {error.strerror}.") from error
        self._known, self._stamp = changed, None
