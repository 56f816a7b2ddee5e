"""A stand-in for the hub's side of a session: takes reports and activity, knows one token.

Only what a single-user server asks of a hub over HTTP. Run as a program it prints its port and then
one JSON line per request, so that a session in a container can be tried against it, too.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tornado import httpserver, netutil, web

if TYPE_CHECKING:
    from collections.abc import Callable

JOB_NAME = "berth-" + "0123456789abcdef" * 2
TOKEN = "0123456789abcdef-session-token"
USER_TOKEN = "fedcba9876543210-user-token"
SCOPES = ["access:servers!user=alice"]


@dataclass
class Hub:
    """What the stand-in answers and what it was told."""

    statuses: list[int] = field(default_factory=list)
    """Answers to the next reports; 204 when there are none left."""
    reports: list[dict[str, Any]] = field(default_factory=list)
    ready: threading.Event = field(default_factory=threading.Event)
    end: int | None = None
    """When the session's job ends."""
    notices: list[dict[str, Any]] = field(default_factory=list)
    """What operators announce."""
    on_report: Callable[[], None] = lambda: None
    port: int = 0


class Report(web.RequestHandler):
    def initialize(self, hub: Hub) -> None:
        self.hub = hub

    def get(self) -> None:
        if self.request.headers.get("Authorization") != f"token {TOKEN}":
            raise web.HTTPError(403)
        self.finish({"end": self.hub.end, "notices": self.hub.notices})

    def post(self) -> None:
        token = self.request.headers.get("Authorization", "")
        self.hub.reports.append({"token": token, "body": json.loads(self.request.body)})
        self.set_status(self.hub.statuses.pop(0) if self.hub.statuses else 204)
        self.hub.on_report()
        if self.get_status() == 204:
            self.hub.ready.set()


class User(web.RequestHandler):
    """Who a token belongs to: the session asks it for every request that carries one."""

    def get(self) -> None:
        if self.request.headers.get("Authorization") != f"token {USER_TOKEN}":
            raise web.HTTPError(403)
        self.finish({"name": "alice", "kind": "user", "admin": False, "groups": [], "scopes": SCOPES})


class Activity(web.RequestHandler):
    def post(self) -> None:
        self.set_status(200)


def application(hub: Hub) -> web.Application:
    return web.Application(
        [
            (r"/hub/api/berth/session", Report, {"hub": hub}),
            (r"/hub/api/user", User),
            (r"/hub/api/users/alice/activity", Activity),
        ]
    )


def environment(hub_url: str, index: str, home: str) -> dict[str, str]:
    """Give the environment that hub, helper and Slurm together make for a session."""
    return {
        "HOME": home,
        "USER": "alice",
        "LOGNAME": "alice",
        "SHELL": "/bin/bash",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "SLURM_JOB_ID": "4711",
        "SLURM_JOB_NAME": JOB_NAME,
        "SLURM_MEM_PER_NODE": "1000",
        "SBATCH_PARTITION": "interactive",
        "CUDA_VISIBLE_DEVICES": "0",
        "JUPYTERHUB_API_TOKEN": TOKEN,
        "JUPYTERHUB_API_URL": f"{hub_url}/hub/api",
        "JUPYTERHUB_ACTIVITY_URL": f"{hub_url}/hub/api/users/alice/activity",
        "JUPYTERHUB_BASE_URL": "/",
        "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-alice",
        "JUPYTERHUB_HOST": "",
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": json.dumps(SCOPES),
        "JUPYTERHUB_OAUTH_CALLBACK_URL": "/user/alice/oauth_callback",
        "JUPYTERHUB_OAUTH_SCOPES": json.dumps(SCOPES),
        "JUPYTERHUB_SERVER_NAME": "",
        "JUPYTERHUB_SERVICE_PREFIX": "/user/alice/",
        "JUPYTERHUB_SERVICE_URL": "http://0.0.0.0:0/user/alice/",
        "JUPYTERHUB_USER": "alice",
        "JUPYTERHUB_DEFAULT_URL": "/lab",
        "BERTH_INTERFACE": "lab",
        "BERTH_PORT_RANGE": "40000-49999",
        "BERTH_RELEASE": "2026.11",
        "BERTH_RELEASES_INDEX": index,
        "BERTH_REPORT_URL": f"{hub_url}/hub/api/berth/session",
        "BERTH_SESSION_ROOT": "/opt/berth",
    }


class Running:
    """The stand-in in a thread of its own."""

    def __init__(self) -> None:
        self.hub = Hub()
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        assert started.wait(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.hub.port}"

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)

        async def listen() -> None:
            sockets = netutil.bind_sockets(0, "127.0.0.1")
            self.hub.port = sockets[0].getsockname()[1]
            self._server = httpserver.HTTPServer(application(self.hub))
            self._server.add_sockets(sockets)
            started.set()

        self._loop.run_until_complete(listen())
        self._loop.run_forever()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._server.stop)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


async def _main(port: int) -> None:
    hub = Hub()

    def tell() -> None:
        sys.stdout.write(json.dumps(hub.reports[-1]["body"]) + "\n")
        sys.stdout.flush()

    hub.on_report = tell
    application(hub).listen(port, "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
