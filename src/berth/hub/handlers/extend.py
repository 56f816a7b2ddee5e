"""Asking for more time: by the button at the hub, and from within the session."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from jupyterhub.handlers import BaseHandler
from jupyterhub.scopes import needs_scope
from tornado import web

from berth.hub.form.options import printable
from berth.hub.handlers.base import Refused
from berth.hub.handlers.report import SessionHandler
from berth.hub.session import extension
from berth.hub.texts.text import LANGUAGES, say

if TYPE_CHECKING:
    from berth.hub.texts.text import Text


class ExtendHandler(BaseHandler):
    """`POST /hub/berth/extend/NAME`: the button on the home page; it needs no JavaScript."""

    @web.authenticated
    @needs_scope("start:servers")
    async def post(self, user_name: str) -> None:
        """Ask, then show the session; 409 and a sentence where it gets no more."""
        user = self.find_user(user_name)
        if user is None:
            raise Refused(404, say("pages.no_such_user", user=printable(user_name)))
        refused = await extension.extend(self.settings["berth"], user.spawner)
        if refused is not None:
            raise Refused(409, refused)
        self.redirect(self.hub.base_url + "home")


class SessionExtendHandler(SessionHandler):
    """`POST /hub/api/berth/session/extend`, with a session's own token: Lab's button.

    Answers as `GET /hub/api/berth/session`, or 409 with `{"message": {language: sentence}}`.
    """

    async def post(self) -> None:
        """Ask."""
        spawner = self.spawner()
        refused = await extension.extend(self.settings["berth"], spawner)
        if refused is None:
            self.finish(self.document(spawner))
            return
        self.set_status(409)
        self.finish(json.dumps({"message": _languages(refused)}))


def _languages(said: Text) -> dict[str, str]:
    return {code: said.in_language(code) for code in LANGUAGES}
