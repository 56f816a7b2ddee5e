"""`/hub/berth/releases`: what is installed, what is inside, and what changed, for whoever is logged in.

Hidden releases are for admins only; for everybody else they are not there.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from jupyterhub.handlers import BaseHandler
from tornado import web

from berth.hub.form.options import printable
from berth.hub.handlers.base import Refused
from berth.hub.releases import pages, view
from berth.hub.texts import words
from berth.hub.texts.text import say
from berth.releases import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from berth.hub.service import Service
    from berth.releases.catalogue import Release


INSIDE: Final = "<!-- inside -->"
"""Where the frame is cut: JupyterHub's templates would copy megabytes some times over, in the hub's loop."""


class _Page(BaseHandler):
    """What the pages have in common."""

    @property
    def service(self) -> Service:
        """What all handlers share."""
        service: Service = self.settings["berth"]
        return service

    async def reader(self) -> pages.Reader:
        """Return for whom the page is. Raises NotKnown where the index was never read."""
        installed = await self.service.installed()
        links = pages.HubLinks(f"{self.hub.base_url}berth/releases")
        shown = view.listed(installed, hidden=self.current_user.admin)
        return pages.Reader(links, words.day(time.time()), shown)

    def find(self, reader: pages.Reader, name: str) -> Release:
        """Return a release that the reader may see. Raises Refused: 404 and a sentence."""
        try:
            return catalogue.find(reader.releases, name)
        except catalogue.CatalogueError as error:
            raise Refused(404, say("releases.unknown", name=printable(name))) from error

    async def show(
        self, reader: pages.Reader, make: Callable[[], str], names: tuple[str, ...], *made_of: object
    ) -> None:
        """Finish with a page that depends on the names, the reader, and what else it is made of."""
        inside = await self.service.shelf.page(make, (names, reader.today), (*reader.releases, *made_of))
        frame: str = await self.render_template(
            "releases.html", user=self.current_user, title=pages.title(*names), inside=INSIDE
        )
        before, _, after = frame.partition(INSIDE)
        self.write(before)
        self.write(inside)
        self.finish(after)

    def compute_etag(self) -> None:
        """Make no digest: it would take milliseconds, for a page that is another one each time (xsrf)."""


class IndexHandler(_Page):
    """`GET /hub/berth/releases`: the list, newest first."""

    @web.authenticated
    async def get(self) -> None:
        """Show it."""
        reader = await self.reader()
        await self.show(reader, lambda: pages.index(reader), ())


class ReleaseHandler(_Page):
    """`GET /hub/berth/releases/NAME`: one release with the full list of its packages."""

    @web.authenticated
    async def get(self, name: str) -> None:
        """Show it."""
        reader = await self.reader()
        release = self.find(reader, name)
        contents = await self.service.shelf.contents(release)
        await self.show(reader, lambda: pages.release(reader, release, contents), (name,), contents)


class CompareHandler(_Page):
    """`GET /hub/berth/releases/NEW/compare/OLD`: what was added, removed and changed from old to new."""

    @web.authenticated
    async def get(self, new: str, old: str) -> None:
        """Show it."""
        reader = await self.reader()
        pair = self.find(reader, new), self.find(reader, old)
        here, there = [(item, await self.service.shelf.contents(item)) for item in pair]
        await self.show(reader, lambda: pages.compare(reader, here, there), (new, old), here[1], there[1])
