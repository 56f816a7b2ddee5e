"""Which language a request is answered in: the one chosen on a page, else the one the browser asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit, urlunsplit

from jupyterhub.handlers import BaseHandler

from berth.hub.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterable

COOKIE: Final = "berth-language"
COOKIE_DAYS: Final = 365


class Localized:
    """Mixed into every handler of the hub, so that all texts of one answer are in one language."""

    async def prepare(self) -> None:
        """Set the language before anything is shown; a context of its own belongs to each request."""
        request: Any = self
        chosen = request.get_cookie(COOKIE, "")
        asked = request.request.headers.get("Accept-Language", "")
        text.language.set(chosen if chosen in text.LANGUAGES else text.preferred(asked))
        handler: Any = super()  # whichever this is mixed into
        await handler.prepare()


def localize(handlers: Iterable[tuple[Any, ...]], *besides: type) -> list[tuple[Any, ...]]:
    """Return the same URL table with `Localized` and others mixed into the hub's own handlers."""
    return [
        (pattern, _mixed(cls, *besides), *rest)
        if isinstance(cls, type) and issubclass(cls, BaseHandler)
        else (pattern, cls, *rest)
        for pattern, cls, *rest in handlers
    ]


def _mixed(cls: type, *besides: type) -> type:
    return type(
        cls.__name__, (Localized, *besides, cls), {"__module__": cls.__module__, "__doc__": cls.__doc__}
    )


class LanguageHandler(BaseHandler):
    """`POST /hub/berth/language/CODE`: the language switch at the foot of each page."""

    def post(self, code: str) -> None:
        """Remember the language in this browser, and show the page again that the switch stood on."""
        if code in text.LANGUAGES:
            self.set_cookie(
                COOKIE,
                code,
                expires_days=COOKIE_DAYS,
                path=self.hub.base_url,
                secure=self.request.protocol == "https",
                samesite="Lax",
                httponly=True,
            )
        self.redirect(self._page())

    def _page(self) -> str:
        came_from = urlsplit(self.request.headers.get("Referer", ""))
        if came_from.netloc != self.request.host or not came_from.path.startswith(self.hub.base_url):
            return str(self.hub.base_url) + "home"
        return str(urlunsplit(("", "", came_from.path, came_from.query, "")))
