"""The server extension: its handlers, and what is loaded when the session serves already."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import os
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web

from berth.session import idle
from berth.session.workbench import memory, tools
from berth.session.workbench.status import ExtendHandler, Status, StatusHandler

if TYPE_CHECKING:
    from tornado.routing import Rule

    from berth.session.server import SessionServerApp

_LOG: Final = logging.getLogger(__name__)
LATE: Final = ("nvdashboard",)
"""Addresses below the session's that are there as soon as the rest is loaded, besides the tools."""


class LateHandler(JupyterHandler):  # type: ignore[misc, unused-ignore]
    """Has whoever comes too early wait, and sends them on."""

    loaded: ClassVar[asyncio.Event]
    rule: ClassVar[Rule]
    """Its place among the server's rules: it comes before those that it waits for."""

    @web.authenticated
    async def get(self, _path: str) -> None:
        """Send on to the same address, which has its own handler by then."""
        await self.loaded.wait()
        self.redirect(self.request.uri or "/")


def _load_jupyter_server_extension(serverapp: SessionServerApp) -> None:
    launch = serverapp.launch
    found = tools.load(launch.layer / "etc" / "tools")
    kernels, minutes = serverapp.kernel_manager, launch.settings.idle_minutes
    StatusHandler.status = Status(
        serverapp.ask_hub,
        found,
        memory.find(),
        lambda: idle.soonest(kernels, minutes, dt.datetime.now(dt.UTC)),
    )
    LateHandler.loaded = asyncio.Event()
    app: Any = serverapp.web_app
    base: str = app.settings["base_url"]
    late = "|".join([*LATE, *(tool.name for tool in found)])
    app.add_handlers(".*", [(url_path_join(base, "berth/api/status"), StatusHandler)])
    app.add_handlers(".*", [(url_path_join(base, "berth/api/extend"), ExtendHandler)])
    app.add_handlers(".*", [(url_path_join(base, f"((?:{late})(?:/.*)?)"), LateHandler)])
    LateHandler.rule = app.default_router.rules[-2]  # before the one for everything else


async def load_late(serverapp: SessionServerApp) -> None:
    """Load what the first page does not need; a part that fails leaves the others."""
    if getattr(LateHandler, "rule", None) is None:  # a site that does not load this extension
        return
    try:
        for part in (_add_tools, _add_dashboards):
            try:
                await part(serverapp)
            except Exception:  # noqa: BLE001 - what cannot be loaded must not end the session
                _LOG.exception("a part of the workbench is missing")
    finally:
        serverapp.web_app.default_router.rules.remove(LateHandler.rule)
        LateHandler.loaded.set()


async def _add_tools(serverapp: SessionServerApp) -> None:
    found = StatusHandler.status.tools
    if not found:
        return
    app: Any = serverapp.web_app
    proxied: Any = await asyncio.to_thread(_import_proxied)
    app.add_handlers(".*", proxied.handlers(app.settings["base_url"], serverapp.launch, found))


async def _add_dashboards(serverapp: SessionServerApp) -> None:
    dashboards: Any = await asyncio.to_thread(_import_dashboards)
    gpus, add = await asyncio.to_thread(partial(dashboards.prepare, os.environ))
    add(serverapp)
    StatusHandler.status.gpus = gpus


def _import_proxied() -> Any:  # noqa: ANN401 - a module
    from berth.session.workbench import proxied  # noqa: PLC0415 - imports what only tools need

    return proxied


def _import_dashboards() -> Any:  # noqa: ANN401 - a module
    from berth.session.workbench import dashboards  # noqa: PLC0415 - as above

    return dashboards
