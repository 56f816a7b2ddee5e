"""What a session does in the user's home in the background, once it serves: links and preparations."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from berth.session import links, signatures

if TYPE_CHECKING:
    from berth.session.launch import Launch


def start(launch: Launch) -> None:
    """Make the links to work and scratch, and prepare what the release needs in the home."""
    orders, settings = launch.assignment, launch.settings
    if settings.links:
        links.start(settings.areas, orders.home, orders.user, orders.account)
    for preparation in launch.preparations.values():
        preparation.start(os.environ, settings.kernel_oom_score_adj)


def stop(launch: Launch) -> None:
    """End what still runs, with which the next session goes on; put back what was brought."""
    for preparation in launch.preparations.values():
        preparation.stop()
    signatures.keep(launch.assignment.home, launch.runtime)
