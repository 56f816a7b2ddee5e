"""People who have the page open from which sessions are started, and open it again and again."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.bench.hub import Hub

TIMEOUT_SECONDS: Final = 15.0


def browser(hub: Hub, user: str) -> httpx.AsyncClient:
    """A client with the cookies of a user who has logged in."""
    return httpx.AsyncClient(
        base_url=hub.url,
        verify=hub.trust,
        cookies=hub.visitor(user).http.cookies,
        timeout=TIMEOUT_SECONDS,
        trust_env=False,
    )


@asynccontextmanager
async def reading(hub: Hub, users: Sequence[str], every_seconds: float) -> AsyncIterator[None]:
    """Have users open the page, each as often, spread evenly, and do what its scripts do."""
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(browser(hub, user)) for user in users]
        tasks = [
            asyncio.create_task(_read(client, hub, number * every_seconds / len(users), every_seconds))
            for number, client in enumerate(clients)
        ]
        if hub.stream:
            tasks += [asyncio.create_task(_listen(client, hub.stream)) for client in clients]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _read(client: httpx.AsyncClient, hub: Hub, first: float, every_seconds: float) -> None:
    await asyncio.sleep(first)
    while True:
        # A page that does not come is opened again, as people do.
        with contextlib.suppress(httpx.HTTPError):
            await client.get(hub.page)
            if hub.script:
                await client.get(hub.script)
        await asyncio.sleep(every_seconds)


async def _listen(client: httpx.AsyncClient, path: str) -> None:
    while True:
        with contextlib.suppress(httpx.HTTPError):
            async with client.stream(
                "GET", path, headers={"Accept": "text/event-stream"}, timeout=60
            ) as stream:
                async for _ in stream.aiter_raw():
                    pass
        await asyncio.sleep(1)
