"""Waiting for something to become true: always with a deadline, never for a fixed time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Result = TypeVar("_Result")

PAUSE_SECONDS = 0.25


class TooLateError(AssertionError):
    """What was waited for did not happen in time; says what it was and what was seen last."""


def until(probe: Callable[[], _Result], what: str, seconds: float) -> _Result:
    """Return the first result of `probe` that is true, asking again and again for `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        result = probe()
        if result:
            return result
        if time.monotonic() > deadline:
            message = f"not within {seconds:g} s: {what} (last seen: {result!r})"
            raise TooLateError(message)
        time.sleep(PAUSE_SECONDS)
