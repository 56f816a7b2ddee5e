"""The session's port: bound first and held to the end, so that nobody else can take it."""

from __future__ import annotations

import random
import socket
from typing import Final

from berth.session.errors import SessionError

_BACKLOG: Final = 128


def listen(ports: range) -> socket.socket:
    """Bind and listen on a free port of the range, on all IPv4 addresses of the node.

    The order is random, so that sessions that start together do not queue at the same port.
    SO_REUSEADDR is not set: a port that anybody else uses in any way is not taken.
    Connections wait in the backlog until the server is loaded; children do not inherit the socket.
    """
    for port in random.sample(ports, len(ports)):
        candidate = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            candidate.bind(("0.0.0.0", port))  # noqa: S104 - the proxy connects from the hub's host
            candidate.listen(_BACKLOG)
            candidate.settimeout(0)
        except OSError:
            candidate.close()
            continue
        return candidate
    raise SessionError(f"no port from {ports[0]} to {ports[-1]} is free on this node")


def port_of(listener: socket.socket) -> int:
    """Give the port that the socket is bound to."""
    port: int = listener.getsockname()[1]
    return port
