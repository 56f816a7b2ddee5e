"""The hub, as a session asks it: one small request at a time, with nothing but the standard library.

The client library that JupyterHub brings takes a quarter of a session's start-up to load; it is loaded later.
"""

from __future__ import annotations

import asyncio
import json
from http.client import HTTPConnection, HTTPSConnection
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_SECONDS: Final = 30.0
_MAX_BYTES: Final = 65536


async def ask(method: str, url: str, token: str, message: Mapping[str, Any] | None = None) -> tuple[int, Any]:
    """Give the status and the JSON of the answer (None: none). Raises OSError, HTTPException or ValueError.

    The hub's certificate is checked with what the node trusts.
    """
    return await asyncio.to_thread(_ask, method, url, token, message)


def _ask(method: str, url: str, token: str, message: Mapping[str, Any] | None) -> tuple[int, Any]:
    address = urlsplit(url)
    kind = HTTPSConnection if address.scheme == "https" else HTTPConnection
    connection = kind(address.hostname or "", address.port, timeout=TIMEOUT_SECONDS)
    headers = {"Authorization": f"token {token}", "Content-Type": "application/json"}
    body = None if message is None else json.dumps(message)
    try:
        connection.request(method, address.path, body, headers)
        answer = connection.getresponse()
        text = answer.read(_MAX_BYTES)
    finally:
        connection.close()
    is_json = answer.headers.get_content_type() == "application/json"
    return answer.status, json.loads(text) if is_json and text else None
