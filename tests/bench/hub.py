"""A hub that is measured, and how all of them are asked alike: log in, start, look, stop."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import httpx

from tests.bench.stage import ANSWER_SECONDS, MEMORY
from tests.lab.cluster import COURSE
from tests.lab.visitor import Visitor
from tests.lab.waiting import TooLateError, until

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Mapping

AT_A_TIME: Final = 30
"""How many sessions are asked for, or stopped, at the same time."""
REQUEST_SECONDS: Final = 120.0
"""How long a hub with that many requests may take for one."""
START_SECONDS: Final = 240.0
FAILURES: Final = (httpx.HTTPError, RuntimeError, TimeoutError, TooLateError)
"""What a measurement notes in its table, instead of being ended by it."""


def reason(error: BaseException) -> str:
    """Why something failed, in one line."""
    return (str(error) or type(error).__name__).splitlines()[0]


@dataclass(frozen=True)
class Wish:
    """What a session is asked for. Memory in Slurm's notation."""

    memory: str = "1G"
    reservation: str = ""
    stand_in: bool = False
    """Whether a few lines of Python will do for the server, where the hub lets us choose."""


@dataclass
class Hub:
    """One hub under test."""

    name: str
    url: str
    port: int
    """Its own port on the login node, behind its proxy."""
    owners: frozenset[str]
    """Whose queries to Slurm are the hub's, besides those in the name of its users."""
    page: str
    """What a user opens in order to start a session: the form, where there is one."""
    options: Callable[[Wish], dict[str, str]]
    password: str
    trust: ssl.SSLContext
    stream: str = ""
    """The event stream that the page listens to."""
    script: str = ""
    """What the page's script asks for when the page is there."""
    _visitors: dict[str, Visitor] = field(default_factory=dict)

    def visitor(self, user: str) -> Visitor:
        """The user, logged in."""
        if user not in self._visitors:
            visitor = Visitor(user, self.trust, self.url)
            visitor.log_in(self.password).raise_for_status()
            if visitor.server() is not None:
                raise RuntimeError(f"{self.name}: a session of {user} was there before it was asked for")
            self._visitors[user] = visitor
        return self._visitors[user]

    def request(self, user: str, wish: Wish) -> None:
        """Ask for a session; the hub answers when it is ready, or else after some seconds."""
        visitor = self.visitor(user)
        chosen = self.options(wish)
        visitor.hub("POST", f"users/{user}/server", json=chosen, timeout=REQUEST_SECONDS).raise_for_status()

    def start(self, wishes: Mapping[str, Wish], *, ready: bool = True) -> None:
        """Have a session of each user; wait until they are ready, or only until all were asked for."""
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            list(pool.map(lambda item: self.request(*item), wishes.items()))
        if ready:
            until(lambda: all(map(self._ready, wishes)), f"ready sessions at {self.name}", START_SECONDS)

    def _ready(self, user: str) -> bool:
        server = self.visitor(user).server()
        if server is None:
            raise RuntimeError(f"{self.name}: the start of {user} failed")
        return bool(server["ready"])

    def stop(self, users: Iterable[str]) -> None:
        """End the sessions of users, whatever their state, and wait until the hub says that they are gone."""
        names = tuple(users)
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            list(pool.map(self._stop, names))
        until(
            lambda: all(self.visitor(user).server() is None for user in names),
            f"ended sessions at {self.name}",
            ANSWER_SECONDS,
        )

    def _stop(self, user: str) -> None:
        if self.visitor(user).server() is not None:
            self.visitor(user).hub("DELETE", f"users/{user}/server", timeout=REQUEST_SECONDS)

    def close(self) -> None:
        """Close all connections."""
        for visitor in self._visitors.values():
            visitor.http.close()


def small(users: Iterable[str]) -> dict[str, Wish]:
    """Wish small sessions for users, every other one by reservation, so that they fill all nodes alike."""
    return {
        user: Wish(MEMORY, COURSE if number % 2 else "", stand_in=True) for number, user in enumerate(users)
    }
