"""What the commands of `berth release` say when they cannot go on."""

from __future__ import annotations


class ReleaseError(Exception):
    """A release cannot be locked, built, published or removed; the text is a sentence for an admin."""


class ChannelError(ReleaseError):
    """A channel cannot be read: no environment could be locked from it."""
