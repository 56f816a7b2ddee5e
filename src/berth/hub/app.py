"""JupyterHub with a start-up of its own: a restart re-attaches pending and running sessions.

Stock start-up asks every session's server for 30 seconds and stops what does not answer, waiting jobs
included. Here nothing is ever stopped for lack of an answer: running sessions are followed again, and
starts that were under way are taken up where they were.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from jupyterhub import orm
from jupyterhub.app import JupyterHub
from jupyterhub.metrics import RUNNING_SERVERS
from sqlalchemy.orm import selectinload

from berth import journal
from berth.hub import access
from berth.hub.database import connection
from berth.hub.handlers import HANDLERS
from berth.hub.metrics import state as metrics
from berth.hub.session import janitor, state
from berth.hub.session.launch import CHECK_SECONDS, StartFailed
from berth.hub.texts.localized import localize

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from jupyterhub.user import User

    from berth.hub.service import Service
    from berth.hub.session.spawner import BerthSpawner


class BerthHub(JupyterHub):
    """The hub's application."""

    name = "jupyterhub"
    """Configuration files and their sections keep JupyterHub's name."""

    service: Service
    """What all spawners and handlers share; given by `berth.hub.config.apply` before the start."""
    handlers: list[tuple[Any, ...]]
    _tasks: set[asyncio.Task[Any]]

    def init_db(self) -> None:
        """Connect to the database, and look after the connection where that leads to a server."""
        super().init_db()
        if self.service.hub.database_url:
            connection.guard(self.db)

    def init_logging(self) -> None:
        """Have every line of the hub written alike, those of JupyterHub, tornado and Berth."""
        super().init_logging()
        for handler in self.log.handlers:
            handler.setFormatter(journal.Formatter(self.service.hub.log_format))
            handler.addFilter(journal.without_secrets)
        ours = logging.getLogger("berth")
        ours.parent = self.log
        ours.setLevel(self.log_level)

    def init_tornado_settings(self) -> None:
        """Put what spawners and handlers share into the settings they all see."""
        super().init_tornado_settings()
        self._tasks = set()
        self.tornado_settings["berth"] = self.service
        metrics.expose(self.service)

    def init_handlers(self) -> None:
        """Put our own URLs before JupyterHub's, the last of which answers 404 to everything."""
        super().init_handlers()
        self.handlers[0:0] = self.add_url_prefix(self.hub_prefix, HANDLERS)
        self.handlers = localize(self.handlers, access.Told)

    async def init_api_tokens(self) -> None:
        """Take the services' tokens from the configuration; those that it had before count no more."""
        await super().init_api_tokens()
        janitor.revoke_replaced(self.db, self.service_tokens)

    async def init_spawners(self) -> int:
        """Take up every session of the database; returns how many."""
        self.service.collector.start()
        janitor.restore(self.service, self.db)
        janitor.revoke_strays(self.db)
        self._background(self.service.installed())  # the pages of sessions tell until when theirs is offered
        self._background(janitor.sweep_forever(self.service, self.db))
        self._background(self._watch_requeues())
        rows = (
            self.db.query(orm.Spawner)
            .filter(orm.Spawner.server_id.isnot(None))
            .options(selectinload(orm.Spawner.user).selectinload(orm.User._orm_spawners))  # noqa: SLF001
            .all()
        )
        for row in rows:
            try:
                user = self.users[row.user]
                self._take_up(user, user.spawners[row.name])
            except Exception:  # one record that cannot be read must not keep everybody else out
                self.log.exception("The session of %s cannot be taken up; it is left as it is", row.user.name)
        self.db.commit()
        self._count_running()
        return len(rows)

    async def start(self) -> None:
        """Start, and leave what is there for good to no collection of garbage.

        Going through a quarter of a million objects, nearly all of them modules, kept the loop for over
        100 ms each time.
        """
        await super().start()
        gc.collect()
        gc.freeze()

    def _count_running(self) -> None:
        RUNNING_SERVERS.set(self.users.count_active_users()["active"])

    def _take_up(self, user: User, spawner: BerthSpawner) -> None:
        phase = spawner.record.phase if spawner.record is not None else None
        self.log.info("Taking up %s (%s)", spawner._log_name, phase)  # noqa: SLF001
        match phase:
            case state.READY if spawner.server.ip:
                self._follow(user, spawner)
            case state.SUBMITTING | state.QUEUED | state.READY | None:
                self._resume_start(user, spawner)
            case _:
                spawner._stop_pending = True  # noqa: SLF001
                self._background(self._stop(user, spawner.name))

    def _follow(self, user: User, spawner: BerthSpawner) -> None:
        spawner.add_poll_callback(partial(self._stop, user, spawner.name))
        spawner.start_polling()

    async def _stop(self, user: User, name: str) -> None:
        await self.proxy.delete_user(user, name)
        await user.stop(name)

    async def _watch_requeues(self) -> None:
        """Take up the start of sessions whose job Slurm runs again, which an operator can make it do."""
        while True:
            await self.service.collector.changed(CHECK_SECONDS)
            for item in [item for item in self.service.followed.values() if not item.abandoned]:
                try:
                    self._look_for_requeue(self.users[item.user], item.server)
                except Exception:  # whatever it is, the others are looked at all the same
                    self.log.exception("The session of %s could not be looked at", item.user)

    def _look_for_requeue(self, user: User, name: str) -> None:
        spawner: BerthSpawner = user.spawners[name]
        if not (spawner.ready and spawner.requeued):
            return
        self.log.warning("%s was requeued; its start is taken up again", spawner._log_name)  # noqa: SLF001
        spawner.begin_again()
        spawner.stop_polling()
        spawner._callbacks = []  # noqa: SLF001 - a start that is finished adds its own
        self._resume_start(user, spawner)

    def _resume_start(self, user: User, spawner: BerthSpawner) -> None:
        """Do what is left of `User.spawn` and of `BaseHandler.spawn_single_user` for a pending start."""
        spawner._spawn_pending = spawner._start_pending = True  # noqa: SLF001
        future = self._background(self._finish_start(user, spawner))
        spawner._spawn_future = future  # noqa: SLF001

        def done(task: asyncio.Task[None]) -> None:
            spawner._spawn_pending = False  # noqa: SLF001
            if task.cancelled() or task.exception() is None:
                spawner._spawn_future = None  # noqa: SLF001

        future.add_done_callback(done)

    async def _finish_start(self, user: User, spawner: BerthSpawner) -> None:
        # Where this one served before it was requeued, or an earlier one did, somebody else may serve now.
        await self.proxy.delete_user(user, spawner.name)
        try:
            address, port = await spawner.finish_start()
        except Exception as error:
            self.log.warning("The start of %s ended: %s", spawner._log_name, error)  # noqa: SLF001
            await user.stop(spawner.name)
            raise
        spawner.server.proto = "http"
        spawner.server.ip = address
        spawner.server.port = port
        self.db.commit()
        spawner._waiting_for_response = True  # noqa: SLF001
        await user._wait_up(spawner)  # noqa: SLF001
        self._follow(user, spawner)
        spawner._proxy_pending = True  # noqa: SLF001
        try:
            await self.proxy.add_user(user, spawner.name)
        finally:
            spawner._proxy_pending = False  # noqa: SLF001
        self._count_running()

    def _background(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._background_ended)
        return task

    def _background_ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, StartFailed):  # that one is told where it happens
            self.log.error("Work in the background ended with an error", exc_info=error)

    async def cleanup(self) -> None:
        """Leave sessions and proxy running; end the collector."""
        await super().cleanup()
        await self.service.collector.stop()
