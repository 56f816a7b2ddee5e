"""Everything that a session has in hand when its server starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping
    from pathlib import Path

    from berth.releases.catalogue import Release
    from berth.session.assignment import Assignment
    from berth.session.preparations import Preparation
    from berth.session.profile import Profile
    from berth.session.settings import Settings


@dataclass(frozen=True)
class Launch:
    """The orders, the layer and its settings, and what was opened for this session.

    `layer` is the prefix of the session layer, `runtime` the private directory, `log` the file that the
    server and its tools write to, `preparations` by kernel what of the release is to be prepared in the
    home, `path` the PATH that children get.
    """

    assignment: Assignment
    settings: Settings
    layer: Path
    listener: socket.socket
    runtime: Path
    log: Path
    release: Release
    installed: frozenset[str]
    preparations: Mapping[str, Preparation]
    profile: Profile
    path: str
