"""Ending sessions of others, with words that reach their users."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from berth.hub.session import story
from berth.hub.texts.text import say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from berth.hub.operate.overview import Key

AT_ONCE: Final = 8
"""Sessions that are being ended at a time: the helper's places are for starts, too."""
ANSWER_SECONDS: Final = 3.0
"""How long an operator waits at most; what is not over by then goes on by itself."""
CANCEL_SECONDS: Final = 5.0
"""How long a cancelled start may take to let go."""
log = logging.getLogger("berth.sessions")
_going_on: set[asyncio.Task[None]] = set()


async def end(handler: Any, user: Any, server: str = "") -> None:  # noqa: ANN401 - JupyterHub's own classes
    """End one session, or a start that is under way, as JupyterHub does."""
    spawner = user.spawners[server]
    if spawner.pending == "spawn" and spawner._spawn_future is not None:  # noqa: SLF001
        story.stop_asked(spawner.owner, spawner.record, handler.current_user.name)
        spawner._spawn_future.cancel()  # noqa: SLF001
        await asyncio.wait({spawner._spawn_future}, timeout=CANCEL_SECONDS)  # noqa: SLF001
    if spawner.active and not spawner.pending:
        await handler.stop_single_user(user, server)


async def end_all(handler: Any, sessions: Iterable[Key], message: str) -> list[Key]:  # noqa: ANN401
    """End sessions, and tell their users why; return those that there were. The work may outlive this call.

    What is said is in the database before anything is ended, and counts only if nothing else ended it first.
    """
    said, found = say("operate.ended", message=message), []
    for name, server in sessions:
        user = handler.find_user(name)
        spawner = user.spawners.get(server) if user is not None else None
        if spawner is None or not spawner.active or spawner.pending == "stop":
            continue
        if spawner.record is not None:
            spawner.record.ended_by = said.to_dict()
            spawner._save()  # noqa: SLF001
        found.append((user, server))
        log.warning("%s ends the session of %s: %s", handler.current_user.name, name, message)
    limit = asyncio.Semaphore(AT_ONCE)
    tasks = {asyncio.create_task(_end(limit, handler, user, server)) for user, server in found}
    _going_on.update(tasks)
    for task in tasks:
        task.add_done_callback(_going_on.discard)
    if tasks:
        await asyncio.wait(tasks, timeout=ANSWER_SECONDS)
    return [(user.name, server) for user, server in found]


async def _end(limit: asyncio.Semaphore, handler: Any, user: Any, server: str) -> None:  # noqa: ANN401
    async with limit:
        try:
            await end(handler, user, server)
        except Exception:  # whatever it is, the others are ended all the same
            log.exception("The session of %s could not be ended", user.name)
