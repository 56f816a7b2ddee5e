"""The user's work and scratch areas: their paths for this session's account, and links in the home."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_LOG: Final = logging.getLogger(__name__)
_ACCOUNT: Final = "{account}"


@dataclass(frozen=True)
class Area:
    """A file system area of the site: `template` is its path with {user} and {account} in it."""

    name: str
    template: str

    def path(self, user: str, account: str) -> str | None:
        """Give the area's path; None where it depends on an account and the job has none."""
        if not self.template or (_ACCOUNT in self.template and not account):
            return None
        return self.template.replace("{user}", user).replace(_ACCOUNT, account)

    def owns(self, target: str, user: str) -> bool:
        """Tell whether a link leads to this area, of whatever account: then it is ours to change."""
        pattern = re.escape(self.template).replace(re.escape("{user}"), re.escape(user))
        return re.fullmatch(pattern.replace(re.escape(_ACCOUNT), "[^/]+"), target) is not None

    def links(self, account: str) -> list[str]:
        """Give the names of the links to it: one follows the account, one stays with each account."""
        return [self.name, f"{self.name}-{account}"] if _ACCOUNT in self.template else [self.name]


def start(areas: Iterable[Area], home: Path, user: str, account: str) -> threading.Thread:
    """Make the links in the background: an area that does not answer costs the session nothing."""
    thread = threading.Thread(target=_make, args=(list(areas), home, user, account), daemon=True)
    thread.start()
    return thread


def _make(areas: Iterable[Area], home: Path, user: str, account: str) -> None:
    for area in areas:
        path = area.path(user, account)
        if path is None:
            continue
        for name in area.links(account):
            try:
                _link(area, home / name, path, user)
            except OSError as error:
                _LOG.warning("no link %s to %s: %s", home / name, path, error.strerror)


def _link(area: Area, link: Path, path: str, user: str) -> None:
    if not Path(path).is_dir():
        return
    try:
        link.symlink_to(path)
    except FileExistsError:
        if not link.is_symlink():
            return
        target = str(link.readlink())
        if target == path or not area.owns(target, user):
            return
    else:
        return
    # Renamed over the old one: there is a link at every moment.
    staging = link.with_name(f".{link.name}.berth-{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        staging.unlink()
    staging.symlink_to(path)
    staging.rename(link)
