"""The port of a session is free, in the range, and nobody else's until the session ends."""

from __future__ import annotations

import socket

import pytest

from berth.session import sockets
from berth.session.errors import SessionError


def free_ports() -> range:
    """Two neighbouring ports that nobody uses now."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("0.0.0.0", 0))  # noqa: S104
            low = first.getsockname()[1]
            try:
                second.bind(("0.0.0.0", low + 1))  # noqa: S104
            except OSError:
                continue
            return range(low, low + 2)


def test_sessions_share_a_range_without_meeting() -> None:
    ports = free_ports()
    with sockets.listen(ports) as one, sockets.listen(ports) as other:
        assert {sockets.port_of(one), sockets.port_of(other)} == set(ports)
        with pytest.raises(SessionError, match=f"no port from {ports[0]} to {ports[-1]} is free"):
            sockets.listen(ports)


def test_connections_wait_for_the_server() -> None:
    with sockets.listen(free_ports()) as listener, socket.socket() as client:
        client.settimeout(5)
        client.connect(("127.0.0.1", sockets.port_of(listener)))
        listener.settimeout(5)
        accepted, _ = listener.accept()
        accepted.close()


def test_children_do_not_inherit_the_port() -> None:
    with sockets.listen(free_ports()) as listener:
        assert not listener.get_inheritable()


def test_an_address_that_others_reuse_is_not_taken() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        with pytest.raises(SessionError):
            sockets.listen(range(port, port + 1))
