"""Ending a session by a form of our own."""

from __future__ import annotations

import asyncio
from typing import Final

from jupyterhub.handlers import BaseHandler
from jupyterhub.scopes import needs_scope
from tornado import web

from berth.hub.form.options import printable
from berth.hub.handlers.base import Refused
from berth.hub.session import story
from berth.hub.texts.text import say

CANCEL_SECONDS: Final = 5.0
"""How long a cancelled start may take to let go."""


class StopHandler(BaseHandler):
    """`POST /hub/berth/stop/NAME`: the button "Stop my server" and the button "Cancel" of a waiting start.

    A form of our own, so that ending a session needs no JavaScript.
    """

    @web.authenticated
    @needs_scope("delete:servers")
    async def post(self, user_name: str) -> None:
        """Stop or cancel, then show the state of the session."""
        user = self.find_user(user_name)
        if user is None:
            raise Refused(404, say("pages.no_such_user", user=printable(user_name)))
        spawner = user.spawner
        if spawner.pending == "spawn" and spawner._spawn_future is not None:  # noqa: SLF001
            story.stop_asked(spawner.owner, spawner.record, self.current_user.name)
            spawner._spawn_future.cancel()  # noqa: SLF001
            await asyncio.wait({spawner._spawn_future}, timeout=CANCEL_SECONDS)  # noqa: SLF001
        if spawner.active and not spawner.pending:
            await self.stop_single_user(user)
        self.redirect(self.hub.base_url + "home")
