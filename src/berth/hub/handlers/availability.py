"""The availability of the partition: once, or as a stream for as long as its reader is logged in."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from jupyterhub.handlers.login import LogoutHandler as StockLogoutHandler
from tornado import web
from tornado.iostream import StreamClosedError

from berth.hub.auth import AccountAuthenticator
from berth.hub.form import availability
from berth.hub.form.options import OptionsError
from berth.hub.handlers.base import DocumentHandler, options_of

KEEP_ALIVE_SECONDS: Final = 15.0
STREAM_SECONDS: Final = 3600.0
"""Then a stream ends and its reader opens the next one: who may no longer read learns it by then."""
RECONNECT_MILLISECONDS: Final = 3000


class AvailabilityHandler(DocumentHandler):
    """`GET /hub/berth/api/availability`: JSON once, or a stream with `Accept: text/event-stream`.

    `?reservation=NAME` asks about the nodes of a reservation that the user may use.
    """

    @web.authenticated
    async def get(self) -> None:
        """Answer a logged-in user."""
        try:
            reservation = await self._reservation()
        except OptionsError as error:
            self.refuse(error)
            return
        if "text/event-stream" in self.request.headers.get("Accept", ""):
            await self._stream(reservation)
            return
        table = availability.table(self.service.collector.snapshot, reservation)
        self.answer(table.to_dict(time.time()))

    async def _reservation(self) -> str | None:
        """Return the reservation that is asked about; raises OptionsError for one that is not on offer."""
        asked = {k: v for k, v in options_of(self.request.query_arguments).items() if k != "_"}
        if not asked:
            return None
        offer = await self.service.offer(self.current_user.name)
        values, problems = offer.clean(asked)
        if problems:
            raise OptionsError(problems)
        return values["reservation"] or None

    async def _stream(self, reservation: str | None) -> None:
        self.set_header("Content-Type", "text/event-stream")
        self.write(f"retry: {RECONNECT_MILLISECONDS}\n\n")
        sent = ""
        try:
            # Cancelled by the logout of its reader, and by the end of the hub.
            with self.service.streams.reading(self.get_session_cookie()):
                async with asyncio.timeout(STREAM_SECONDS):
                    while not self.request.connection.stream.closed():
                        collector = self.service.collector
                        document = self.service.documents.get(collector.snapshot, reservation)
                        self.write(f"data: {document}\n\n" if document != sent else ":\n\n")
                        sent = document
                        await self.flush()
                        await collector.changed(KEEP_ALIVE_SECONDS)
        except (StreamClosedError, TimeoutError, asyncio.CancelledError):
            return


class LogoutHandler(StockLogoutHandler):
    """JupyterHub's logout, which ends the streams of that login too."""

    async def handle_logout(self) -> None:
        """End them."""
        self.settings["berth"].streams.end(self.get_session_cookie())

    async def render_logout_page(self) -> None:
        """Go on to the log-out of the provider where users signed in, if the site wants that."""
        own = isinstance(self.authenticator, AccountAuthenticator)
        if url := await self.authenticator.end_session_url() if own else "":
            self.redirect(url)
            return
        await super().render_logout_page()
