"""`GET /hub/berth/guide`: how to use the service, made of the site's own settings and releases."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from jupyterhub.handlers import BaseHandler
from tornado import web

from berth.hub import assets
from berth.hub.guide import facts, pages
from berth.hub.texts import words

if TYPE_CHECKING:
    from berth.hub.service import Service


class GuideHandler(BaseHandler):
    """The page; hidden and ended releases are not in it."""

    @web.authenticated
    async def get(self) -> None:
        """Show it."""
        service: Service = self.settings["berth"]
        found = facts.gather(
            service.hub,
            service.form,
            await service.installed(),
            words.day(time.time()),
            f"{self.hub.base_url}berth/releases",
        )
        inside = pages.inside(found, lambda path: f"{self.hub.base_url}{assets.asset(path)}")
        page = await self.render_template("guide.html", user=self.current_user, inside=inside)
        self.finish(page)
