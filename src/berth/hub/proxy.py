"""The proxy as the hub uses it: one that gives no answer ends no session, and keeps none from ending.

Stock JupyterHub stops a session whose route cannot be made, and never finishes a stop whose route cannot be
deleted. Here both go on, and the routes are put right as soon as the proxy answers again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from jupyterhub.proxy import ConfigurableHTTPProxy

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from jupyterhub.user import User

    from berth.hub.session.spawner import BerthSpawner

ANSWER_SECONDS: Final = 30.0
"""Limit of every request to the proxy; JupyterHub's own ends after five minutes."""
CHANGE_SECONDS: Final = 5.0
"""How long a start or a stop waits for the proxy to change a route."""
RETRY_SECONDS: Final = 5.0
"""Seconds between two attempts to put the routes right."""


class PatientProxy(ConfigurableHTTPProxy):
    """configurable-http-proxy, started by systemd, that may be away for a while."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - as in the base class
        """Begin with all routes as they should be."""
        super().__init__(**kwargs)
        self._wrong: set[BerthSpawner] = set()
        """Those whose route was to be changed, be it that another one has taken their place since."""
        self._stale: dict[str, BerthSpawner] = {}
        """The same by their routes, until those are known not to lead to where they served."""
        self._repair: asyncio.Task[None] | None = None

    async def api_request(self, path: str, method: str = "GET", body: Any = None) -> Any:  # noqa: ANN401
        """Ask the proxy. Raises TimeoutError when it gives no answer."""
        async with asyncio.timeout(ANSWER_SECONDS):
            return await super().api_request(path, method=method, body=body)

    async def add_user(self, user: User, server_name: str = "") -> None:
        """Make the route of a session, now or as soon as the proxy answers."""
        await self._change(user.spawners[server_name], super().add_user(user, server_name))

    async def delete_user(self, user: User, server_name: str = "") -> None:
        """Delete the route of a session, now or as soon as the proxy answers."""
        await self._change(user.spawners[server_name], super().delete_user(user, server_name))

    async def _change(self, spawner: BerthSpawner, change: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(CHANGE_SECONDS):
                await change
        except (TimeoutError, aiohttp.ClientError) as error:
            self.log.warning("The proxy did not change the route of %s: %r", spawner._log_name, error)  # noqa: SLF001
            self._wrong.add(spawner)
            self._stale[spawner.proxy_spec] = spawner
            if self._repair is None or self._repair.done():
                self._repair = asyncio.create_task(self._put_right())

    async def _put_right(self) -> None:
        """Compare all routes with the sessions until the proxy has answered for each that is in doubt."""
        while self._wrong:
            await asyncio.sleep(RETRY_SECONDS)
            # The comparison leaves those alone that are being started or stopped.
            settled = {spawner for spawner in self._wrong if not _current(spawner).pending}
            self._wrong -= settled  # those whose route cannot be changed now, either, come back
            try:
                await self._delete_stale()
                if settled:
                    await self.check_routes(self.app.users, self.app._service_map)  # noqa: SLF001
            except (TimeoutError, aiohttp.ClientError) as error:
                self.log.warning("The routes are not put right yet: %r", error)
                self._wrong |= settled
            except Exception:  # for example a session whose stop began in between; the next turn sees it
                self.log.exception("The routes are not put right yet")
                self._wrong |= settled

    async def _delete_stale(self) -> None:
        """Delete the routes of what does not serve: somebody else may get the old node and port.

        A start may have begun meanwhile; it has no route before it serves, which can take hours.
        """
        for spec, spawner in list(self._stale.items()):
            if not _serves(_current(spawner)):
                await self.delete_route(spec)
            if self._stale.get(spec) is spawner:
                del self._stale[spec]


def _current(spawner: BerthSpawner) -> BerthSpawner:
    """Return the spawner that has the name now: each stop makes way for another one."""
    current: BerthSpawner = spawner.user.spawners.get(spawner.name, spawner)
    return current


def _serves(spawner: BerthSpawner) -> bool:
    """Tell whether there is a session to lead to, or its route is being made."""
    if spawner.server is None:
        return False
    return spawner._proxy_pending or spawner.pending not in {"spawn", "stop"}  # noqa: SLF001
