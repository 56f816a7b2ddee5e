"""`/hub/spawn`: JupyterHub's own page, which answers 500 when a start is cancelled within a second."""

from __future__ import annotations

import asyncio
from typing import Any

from jupyterhub.handlers.pages import SpawnHandler

from berth.hub.form import page as form
from berth.hub.operate import gate


class SpawnPage(SpawnHandler):
    """The form, and what follows the click on Start."""

    async def prepare(self) -> None:
        """Say who reads the form: an admin may open another user's."""
        await super().prepare()
        if self.current_user is not None:
            form.reader.set(self.current_user.name)
            gate.admit(self)

    async def _wrap_spawn_single_user(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401
        """Start; when somebody cancels before this has answered, show where that leads, as Cancel does."""
        try:
            await super()._wrap_spawn_single_user(*arguments, **named)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise  # the hub stops
            self.redirect(self.hub.base_url + "home")
