"""`GET …/berth/api/status` in a session: what Lab shows beside its notebooks."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Final

from jupyter_server.base.handlers import APIHandler
from tornado import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from berth.session.workbench import memory
    from berth.session.workbench.dashboards import Gpus
    from berth.session.workbench.tools import Tool

_LOG: Final = logging.getLogger(__name__)
ASK_SECONDS: Final = 60.0
"""How often the hub is asked, at most: the end of a job changes seldom."""


@dataclass
class Status:
    """What the session knows of itself. `ask_hub` gives the hub's answer; it may raise anything.

    With a path it is an order: a POST to that, below the one about the session. Its status comes along.
    """

    ask_hub: Callable[[str], Awaitable[tuple[int, dict[str, Any]]]]
    tools: tuple[Tool, ...]
    memory: memory.Memory | None
    idle: Callable[[], dict[str, Any] | None] = lambda: None
    """Gives which idle kernel is ended first, and when."""
    gpus: Gpus | None = None
    """None until the dashboards are loaded."""
    _hub: dict[str, Any] = field(default_factory=dict)
    _asked: float = float("-inf")

    async def document(self) -> dict[str, Any]:
        """Give the answer as JSON: `end` is a Unix time or null, amounts of memory are bytes.

        `notices` are what operators announce, as the hub said it last: without those that are over by now.
        `extension_hours` is how much more time the user may ask for, null for none.
        """
        await self._refresh()
        usage = self.memory.usage() if self.memory is not None else None
        return {
            "now": time.time(),
            "end": self._hub.get("end"),
            "notices": self._notices(),
            "extension_hours": self._hub.get("extension_hours"),
            "memory": None
            if usage is None
            else {"used": usage.used, "limit": usage.limit, "killed": usage.killed},
            "gpus": None
            if self.gpus is None
            else {"watched": len(self.gpus.handles), "problem": self.gpus.problem},
            "idle": self.idle(),
            "tools": [{"name": tool.name, "title": tool.title, "icon": tool.icon} for tool in self.tools],
        }

    def _notices(self) -> list[dict[str, Any]]:
        now = time.time()
        found: list[dict[str, Any]] = self._hub.get("notices", [])
        return [item for item in found if item["until"] is None or item["until"] > now]

    async def _refresh(self) -> None:
        if time.monotonic() - self._asked < ASK_SECONDS:
            return
        self._asked = time.monotonic()
        try:
            _, self._hub = await self.ask_hub("")
        except Exception as error:  # noqa: BLE001 - a hub that restarts: what it said last still holds
            _LOG.info("the hub does not say when this session ends: %s", error)

    async def extend(self) -> tuple[int, dict[str, Any]]:
        """Ask the hub for more time; return status and answer, after which `document` has the new end."""
        status, answer = await self.ask_hub("/extend")
        if status == HTTPStatus.OK:
            self._hub = answer
        return status, answer


class ExtendHandler(APIHandler):  # type: ignore[misc, unused-ignore]
    """`POST …/berth/api/extend`: the button beside the warning that time ends."""

    @web.authenticated
    async def post(self) -> None:
        """Answer with the status, or with why there is no more time: `{message: {language: sentence}}`."""
        try:
            status, answer = await StatusHandler.status.extend()
        except Exception as error:
            _LOG.exception("the hub could not be asked for more time")
            raise web.HTTPError(502, "The hub does not answer. Ask again in a minute.") from error
        self.set_status(status)
        self.finish(await StatusHandler.status.document() if status == HTTPStatus.OK else answer)


class StatusHandler(APIHandler):  # type: ignore[misc, unused-ignore]
    """Answers the user of the session."""

    status: ClassVar[Status]
    _track_activity = False  # a forgotten page asks, too

    @web.authenticated
    async def get(self) -> None:
        """Answer."""
        self.finish(await self.status.document())
