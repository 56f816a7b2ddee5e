"""Starting a session by JupyterHub's REST API: the same options with the same checks as the form."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from jupyterhub.apihandlers.users import UserServerAPIHandler
from tornado import web

from berth.hub.form import refusals
from berth.hub.form.formspawner import BadOptions, FormSpawner
from berth.hub.form.options import OptionsError, printable
from berth.hub.operate import gate
from berth.hub.texts.text import say

if TYPE_CHECKING:
    from collections.abc import Collection

    from jupyterhub.user import User

_ENVELOPE: Final = frozenset({"display_name", "user_options"})
"""The keys of JupyterHub's own form of the body."""


class ServerHandler(UserServerAPIHandler):
    """`/hub/api/users/NAME/server` as JupyterHub has it, with a sentence for each wrong field.

    A refused start answers 400 with `{"status": 400, "message": …, "problems": {field: sentence}}`, and in a
    maintenance 503 with `Retry-After`.
    """

    async def prepare(self) -> None:
        """Note whether an operator asks, who may start a session in a maintenance too."""
        await super().prepare()
        if self.current_user is not None:
            gate.admit(self)

    def get_json_body(self) -> Any:  # noqa: ANN401 - any JSON
        """Return the body, in which no key may stand twice: the last one would silently win."""
        body = super().get_json_body()
        if body is not None:
            json.loads(self.request.body, object_pairs_hook=_unique)
        return body

    def get_server_json_body(self) -> dict[str, Any]:
        """Return name and options; JupyterHub would pass over unknown keys beside `user_options`."""
        try:
            return self._server_json_body()
        except BadOptions as error:
            refusals.note(self.path_args[0], error.error)
            raise

    def _server_json_body(self) -> dict[str, Any]:
        sent = self.get_json_body()
        if isinstance(sent, dict) and _ENVELOPE & set(sent):
            _refuse({printable(name) for name in set(sent) - _ENVELOPE})
        body: dict[str, Any] = super().get_server_json_body()
        return body

    async def spawn_single_user(
        self,
        user: User,
        server_name: str = "",
        display_name: str = "",
        options: dict[str, Any] | None = None,
    ) -> None:
        """Check the options before anything is begun or kept; without any, the last ones are taken."""
        spawner = user.spawners[server_name]
        if not isinstance(spawner, FormSpawner):
            raise web.HTTPError(500)
        wanted = options if options is not None else (spawner.orm_spawner.user_options or {})
        await spawner.checked(wanted)
        await super().spawn_single_user(user, server_name, display_name, options=options)

    def write_error(self, status_code: int, **kwargs: Any) -> None:  # noqa: ANN401 - as in the base class
        """Add the sentences by field to JupyterHub's own document."""
        error = kwargs.get("exc_info", (None, None))[1]
        if not isinstance(error, BadOptions):
            super().write_error(status_code, **kwargs)
            return
        self.set_header("Content-Type", "application/json")
        problems = {name: str(sentence) for name, sentence in error.error.problems.items()}
        self.write(
            json.dumps({"status": status_code, "message": error.jupyterhub_message, "problems": problems})
        )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    _refuse({printable(name) for name in names if names.count(name) > 1}, "form.twice")
    return dict(pairs)


def _refuse(names: Collection[str], key: str = "form.unknown") -> None:
    if names:
        raise BadOptions(OptionsError({name: say(key, name=name) for name in sorted(names)}))
