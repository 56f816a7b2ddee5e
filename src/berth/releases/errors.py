"""What the commands of `berth release` say when they cannot go on."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class ReleaseError(Exception):
    """A release cannot be locked, built, published or removed; the text is a sentence for an admin."""


class ChannelError(ReleaseError):
    """A channel cannot be read: no environment could be locked from it."""


@contextlib.contextmanager
def told(what: str) -> Iterator[None]:
    """Turn an error of the operating system (a full disk, a file that is busy) into a sentence."""
    try:
        yield
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        raise ReleaseError(f"{what}: {error.strerror or error}{place}") from error
