"""What our handlers have in common: how they refuse, and how those for programs answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

from jupyterhub.handlers import BaseHandler
from tornado import web

from berth.hub.form import options
from berth.hub.texts.text import ENGLISH, say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from berth.hub.service import Service
    from berth.hub.texts.text import Text


class Refused(web.HTTPError):
    """A request is refused; `said` tells why, in the reader's language and, in the journal, in English."""

    def __init__(self, status: int, said: Text) -> None:
        """Refuse with a status."""
        super().__init__(status, said.in_language(ENGLISH).replace("%", "%%"))
        self.said = said

    @property
    def jupyterhub_message(self) -> str:
        """The text that JupyterHub shows to the user."""
        return str(self.said)


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
        raise Refused(403, say("pages.log_in_first"))

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
