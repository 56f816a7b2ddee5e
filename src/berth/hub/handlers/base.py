"""What the handlers for scripts and programs have in common."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

from jupyterhub.handlers import BaseHandler
from tornado import web

from berth.hub import options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from berth.hub.service import Service


class DocumentHandler(BaseHandler):
    """Answers with JSON that is only true for a moment, and 403 to whoever is not logged in."""

    @property
    def service(self) -> Service:
        """What all handlers share."""
        service: Service = self.settings["berth"]
        return service

    def set_default_headers(self) -> None:
        """Let nobody keep an answer."""
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")

    def get_login_url(self) -> NoReturn:
        """Answer 403: a program cannot use a login page."""
        raise web.HTTPError(403, "log in first")

    def answer(self, document: Mapping[str, Any], status: int = 200) -> None:
        """Finish with a document."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(document))

    def refuse(self, error: options.OptionsError) -> None:
        """Finish with 400 and a sentence for each wrong field."""
        self.answer({"problems": {name: str(problem) for name, problem in error.problems.items()}}, 400)


def options_of(arguments: Mapping[str, list[bytes]]) -> dict[str, Any]:
    """Return the options in a query or a form; what is no UTF-8 becomes a text that is no choice."""
    values = {
        name: [value.decode(errors="replace") for value in found]
        for name, found in arguments.items()
        if name != "_xsrf"
    }
    return options.single_values(values)
