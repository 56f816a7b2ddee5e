"""The report to the hub: this session serves, on this port. Repeated until it is acknowledged."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_LOG: Final = logging.getLogger(__name__)

FIRST_DELAY: Final = 0.2
LONGEST_DELAY: Final = 15.0
_GONE: Final = frozenset({401, 403, 404, 410})


class Outcome(Enum):
    """How the report ended."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"


async def report(
    send: Callable[[], Awaitable[int]],
    patience: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Outcome:
    """Call `send` (gives an HTTP status, raises when there is no answer) until it answers 2xx.

    A hub that is down, restarting or overloaded is waited for without limit: the session is the
    user's, and the hub takes it up again. Only a hub that keeps saying, for `patience` seconds
    without any other answer between, that it does not know this session gives REFUSED.
    """
    delay = FIRST_DELAY
    refused_since: float | None = None
    while True:
        status = await _attempt(send)
        if status is not None and 200 <= status < 300:  # noqa: PLR2004 - HTTP's own classes
            return Outcome.ACKNOWLEDGED
        if status in _GONE:
            refused_since = clock() if refused_since is None else refused_since
            if clock() - refused_since >= patience:
                return Outcome.REFUSED
        else:
            refused_since = None
        await sleep(delay * random.uniform(0.8, 1.2))  # noqa: S311 - sessions must not beat in time
        delay = min(delay * 2, LONGEST_DELAY)


async def _attempt(send: Callable[[], Awaitable[int]]) -> int | None:
    try:
        status = await send()
    except Exception as error:  # noqa: BLE001 - whatever a client library raises means: no answer
        _LOG.warning("the hub gives no answer to the session's report: %s", type(error).__name__)
        return None
    if status >= 300:  # noqa: PLR2004 - HTTP's own classes
        _LOG.warning("the hub answers the session's report with %d", status)
    return status
