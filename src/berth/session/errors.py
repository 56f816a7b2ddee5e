"""The error that ends a session before it serves."""

from __future__ import annotations


class SessionError(Exception):
    """The session cannot start; the text is a sentence for the session's log."""
