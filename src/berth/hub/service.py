"""What all spawners and handlers of one hub share: settings, collector, helper, releases, followed jobs."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tornado import web

from berth.helper.client import HelperClient
from berth.hub.collector.client import CollectorClient
from berth.hub.collector.snapshot import Watch
from berth.hub.form import offer
from berth.hub.form.availability import Documents
from berth.hub.form.estimate import Estimator
from berth.hub.lookup import Lookup, NoAnswerError
from berth.hub.operate import board
from berth.hub.operate.board import Board
from berth.hub.releases.shelf import Shelf
from berth.hub.session.history import History
from berth.hub.streams import Streams
from berth.hub.texts.text import say
from berth.hub.usage.recent import Recent
from berth.releases import catalogue

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

    from berth.hub.form.options import Offer
    from berth.hub.session.history import Owner
    from berth.hub.session.state import SessionRecord
    from berth.hub.settings import FormSettings, HubSettings
    from berth.releases.catalogue import Release

GROUPS_SECONDS: Final = 60.0
"""How long the groups of a user count: each asks a directory service several times."""
RELEASES_SECONDS: Final = 3.0
"""How long it is before a new release is offered."""

_Answer = TypeVar("_Answer")

log = logging.getLogger("berth.service")


class NotKnown(web.HTTPError):
    """The groups of a user or the releases cannot be had, and never were: status 503 and a sentence."""

    def __init__(self, error: NoAnswerError) -> None:
        """Name what did not answer, for the journal."""
        super().__init__(503, "no answer about %s", error)

    @property
    def jupyterhub_message(self) -> str:
        """What JupyterHub shows, in the language of the request."""
        return str(say("form.not_known"))


@dataclass
class Followed:
    """A session that must be followed, whose it is, and whether its end is wanted."""

    user: str
    server: str
    record: SessionRecord
    abandoned: bool = False
    """Nobody waits for it any more: it is cancelled until its end is proven."""


@dataclass
class Service:
    """One per hub, in JupyterHub's settings under `berth`."""

    hub: HubSettings
    form: FormSettings
    collector: CollectorClient = field(init=False)
    helper: HelperClient = field(init=False)
    estimator: Estimator = field(init=False)
    documents: Documents = field(default_factory=Documents)
    streams: Streams = field(default_factory=Streams)
    shelf: Shelf = field(default_factory=Shelf)
    followed: dict[str, Followed] = field(default_factory=dict)
    """Every session whose end is not proven, by nonce."""
    unreadable: dict[Owner, list[Any]] = field(default_factory=dict)
    """Abandoned sessions that this version cannot read; they are kept as they are stored."""
    history: History = field(init=False)
    usage: Recent = field(init=False)
    board: Board = field(init=False)
    """What operators tell users."""
    groups: Lookup[tuple[str, ...]] = field(init=False)
    """The names of the Unix groups, by user."""

    def __post_init__(self) -> None:
        """Make the parts that need the settings."""
        self.collector = CollectorClient(self.hub.slurm, self.hub.log_format)
        self.history = History(self.hub.history_days)
        self.usage = Recent(self.hub.slurm, self.hub.usage_months)
        self.board = Board(self.hub.state_dir / board.FILE, self.hub.announcements)
        self.helper = HelperClient(self.hub.helper_socket, self.hub.helper_timeout_seconds)
        self.estimator = Estimator(self.helper)
        self.groups = Lookup("groups", group_names, GROUPS_SECONDS)
        self._catalogue = Lookup("releases", lambda _: self.releases(), RELEASES_SECONDS, threads=1)
        self._releases: tuple[Release, ...] = ()
        self._releases_stamp: tuple[int, int] | None = None

    def follow(self, followed: Followed) -> None:
        """Follow a session until `forget`."""
        self.followed[followed.record.nonce] = followed
        self.update_watch()

    def forget(self, nonce: str) -> None:
        """Stop following a session whose end is proven."""
        self.followed.pop(nonce, None)
        self.update_watch()

    def update_watch(self) -> None:
        """Tell the collector which jobs it must not lose sight of."""
        records = [item.record for item in self.followed.values()]
        self.collector.set_watch(
            Watch(
                job_ids=frozenset(item.job_id for item in records if item.job_id is not None),
                names=frozenset(item.job_name for item in records if item.job_id is None),
                accounted=self.history.unaccounted,
            ),
        )

    def releases_index(self) -> Path:
        """Path of the published catalogue."""
        return self.hub.session.root / "releases" / "index.json"

    def releases(self) -> tuple[Release, ...]:
        """Return the installed releases, newest first; re-read only when the catalogue was replaced."""
        try:
            status = self.releases_index().stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp != self._releases_stamp:
                self._releases = catalogue.load(self.releases_index())
                self._releases_stamp = stamp
        except (OSError, catalogue.CatalogueError) as error:
            log.warning("The catalogue of releases cannot be used: %s", error)
        return self._releases

    async def installed(self) -> tuple[Release, ...]:
        """Return the same as the service last saw them. Raises NotKnown, never waits for long."""
        return await _known(self._catalogue.ask())

    def installed_last(self) -> tuple[Release, ...]:
        """Return the same without looking; empty where they never were seen."""
        return self._catalogue.last() or ()

    def release(self, name: str) -> Release | None:
        """Return an installed release as it was last seen, without looking; None: it was not."""
        return next((item for item in self.installed_last() if item.name == name), None)

    async def offer(self, user: str) -> Offer:
        """Return what `user` may choose from now. Raises NotKnown, never waits for long."""
        groups, releases = await asyncio.gather(_known(self.groups.ask(user)), self.installed())
        if self.form.group_limits and not groups:  # everybody is in some group: nobody said in which
            raise NotKnown(NoAnswerError("groups"))
        person = offer.Person(user, groups)
        return offer.compute(person, self.collector.snapshot, self.form, releases, time.time())


async def _known(question: Awaitable[_Answer]) -> _Answer:
    try:
        return await question
    except NoAnswerError as error:
        raise NotKnown(error) from error


def group_names(user: str) -> tuple[str, ...]:
    """Return the names of the Unix groups of `user`; empty for a user that the host does not know.

    Asked by a program: `os.getgrouplist` would stop all threads of the hub until a directory service answers.
    """
    argv = ["/usr/bin/id", "-Gnz", "--", user]
    found = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return tuple(os.fsdecode(name) for name in found.stdout.split(b"\0") if name)
