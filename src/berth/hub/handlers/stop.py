"""Ending a session by a form of our own."""

from __future__ import annotations

from jupyterhub.handlers import BaseHandler
from jupyterhub.scopes import needs_scope
from tornado import web

from berth.hub.form.options import printable
from berth.hub.handlers.base import Refused
from berth.hub.operate import ending
from berth.hub.texts.text import say


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
        await ending.end(self, user)
        self.redirect(self.hub.base_url + "home")
