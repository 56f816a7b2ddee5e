"""Messages between the hub and its collector child: pickled objects with a length before each.

Both ends are the same code under the same user on a private pipe, as with `multiprocessing`; nothing
from a user or from the network is ever unpickled here.
"""

from __future__ import annotations

import pickle
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

BEAT = "alive"
"""What a child sends every `BEAT_SECONDS`, so that one that hangs is told from one that waits."""
BEAT_SECONDS = 5.0

_LENGTH = struct.Struct(">Q")


def send(writer: asyncio.StreamWriter, message: object) -> None:
    """Queue one message; the caller drains the writer."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    writer.write(_LENGTH.pack(len(body)) + body)


async def receive(reader: asyncio.StreamReader) -> Any:  # noqa: ANN401 - the caller narrows it
    """Return the next message; raises asyncio.IncompleteReadError at the end of the pipe."""
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    return pickle.loads(await reader.readexactly(length))  # noqa: S301 - own child, see above
