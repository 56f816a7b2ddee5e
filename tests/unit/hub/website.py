"""Our pages with JupyterHub's own templates around them, on a port of their own."""

from __future__ import annotations

import os
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jupyterhub
from bs4 import BeautifulSoup
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader
from jupyterhub._data import DATA_FILES_PATH
from jupyterhub.auth import DummyAuthenticator
from jupyterhub.handlers.pages import HomeHandler
from jupyterhub.scopes import parse_scopes
from jupyterhub.user import UserDict
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, StaticFileHandler

from berth.hub import assets, footer
from berth.hub.form.rest import ServerHandler
from berth.hub.handlers import HANDLERS
from berth.hub.handlers.spawn import SpawnPage
from berth.hub.operate import gate, shown
from berth.hub.texts.localized import localize

if TYPE_CHECKING:
    from tornado.httpclient import HTTPResponse

    from tests.unit.hub.conftest import Stage


def templates(**options: Any) -> Environment:
    """The templates as JupyterHub loads them, ours first."""
    own = str(files("berth.hub") / "templates")
    stock = os.path.join(DATA_FILES_PATH, "templates")  # noqa: PTH118 - as JupyterHub has it
    loader = ChoiceLoader(
        [PrefixLoader({"templates": FileSystemLoader([stock])}, "/"), FileSystemLoader([own, stock])]
    )
    return Environment(loader=loader, autoescape=True, **options)


class Website:
    """The hub's pages for a user who is logged in (or not, or is an admin)."""

    def __init__(self, stage: Stage, port: int = 0) -> None:
        self.stage = stage
        self.user: Any = stage.user
        self.scopes = {"servers", "read:users:name"}
        site = self

        class LoggedIn:
            """Replaces what JupyterHub does before each request."""

            async def prepare(self) -> None:
                self._jupyterhub_user = site.user
                self.expanded_scopes = set(site.scopes)
                self.parsed_scopes = parse_scopes(self.expanded_scopes)
                if isinstance(self, SpawnPage | ServerHandler):
                    gate.admit(self)

            def check_xsrf_cookie(self) -> None:
                """JupyterHub's own, and tested there."""

        def here(handler: type, *rest: Any) -> tuple[Any, ...]:
            mixed = (
                handler if handler is StaticFileHandler else type(handler.__name__, (LoggedIn, handler), {})
            )
            return (mixed, *rest)

        hub = stage.user.settings["hub"]
        users = UserDict(lambda: stage.database, stage.user.settings)
        users[stage.user.orm_user.id] = stage.user
        static = os.path.join(DATA_FILES_PATH, "static")  # noqa: PTH118
        own = [
            (rf"/hub{pattern}", *here(*rest))
            for pattern, *rest in HANDLERS
            if "/berth/" in pattern or pattern == "/spawn" or rest[0] is ServerHandler
        ]
        own.append((r"/hub/home", *here(HomeHandler)))
        self.server = HTTPServer(
            Application(
                localize(own),
                berth=stage.service,
                hub=hub,
                db=stage.database,
                users=users,
                base_url="/",
                services={},
                cookie_secret=b"0" * 32,
                login_url="/hub/login",
                logout_url="/hub/logout",
                authenticator=DummyAuthenticator(),
                version_hash=jupyterhub.__version__,
                static_path=static,
                static_url_prefix="/hub/static/",
                template_vars=assets.TEMPLATE_VARIABLES
                | {
                    "links": partial(footer.links, stage.service.form.links),
                    "notices": partial(shown.on_page, stage.service.board),
                },
                jinja2_env=templates(enable_async=True),
                jinja2_env_sync=templates(),
                log_function=lambda _handler: None,
            )
        )
        if port:
            self.server.listen(port, "127.0.0.1")
        else:
            socket, port = bind_unused_port()
            self.server.add_socket(socket)
        self.url = f"http://127.0.0.1:{port}"

    async def get(self, path: str, **headers: str) -> HTTPResponse:
        return await AsyncHTTPClient().fetch(
            self.url + path, raise_error=False, follow_redirects=False, headers=headers
        )

    async def send(self, method: str, path: str, body: bytes | str, **headers: str) -> HTTPResponse:
        """Make a request with a body."""
        return await AsyncHTTPClient().fetch(
            self.url + path,
            method=method,
            body=body,
            raise_error=False,
            follow_redirects=False,
            headers=headers,
            allow_nonstandard_methods=True,
        )

    async def page(self, path: str, status: int = 200, accept_language: str = "en") -> BeautifulSoup:
        """Open a page; its HTML."""
        answer = await self.get(path, **{"Accept-Language": accept_language})
        assert answer.code == status, answer.body.decode()
        return BeautifulSoup(answer.body, "html.parser")
