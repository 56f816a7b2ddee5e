"""The hub's process: whether it answers, and an end that it does not see coming."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx

from tests.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.machines import Machine
    from tests.lab.visitor import Visitor

HUB_SECONDS = 60.0


def hub_answers(visitor: Visitor) -> bool:
    """Whether the hub answers its API."""
    try:
        return visitor.http.get("/hub/api/").status_code == 200
    except httpx.HTTPError:
        return False


def kill_hub(login: Machine, visitor: Visitor) -> None:
    """SIGKILL all of the hub at once, and wait for the one that systemd starts."""
    with killed_hub(login, visitor):
        pass


@contextmanager
def killed_hub(login: Machine, visitor: Visitor) -> Iterator[None]:
    """The same, with a moment in between."""
    before = login.property("berth-hub", "MainPID")
    login.run("systemctl", "kill", "--signal=KILL", "--kill-whom=all", "berth-hub")
    yield
    until(
        lambda: login.property("berth-hub", "MainPID") not in {"0", before} and hub_answers(visitor),
        "a new hub that answers",
        HUB_SECONDS,
    )
