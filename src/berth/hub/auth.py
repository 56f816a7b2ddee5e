"""Login with the cluster account: the privileged helper asks PAM, the hub never sees a shadow file."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from jupyterhub.auth import Authenticator
from tornado import web

from berth import journal
from berth.helper.client import PasswordResult, PasswordVerdict
from berth.hub.metrics import figures
from berth.hub.texts.text import ENGLISH, say

if TYPE_CHECKING:
    from berth.hub.service import Service

log = logging.getLogger("berth.login")

_REFUSALS: Final = {
    PasswordVerdict.RATE_LIMITED: (429, "pages.login_rate_limited"),
    PasswordVerdict.NOT_IN_GROUP: (403, "pages.login_not_in_group"),
    PasswordVerdict.NOT_ALLOWED: (403, "pages.login_not_allowed"),
}


class HelperAuthenticator(Authenticator):
    """Checks user name and password through the helper, which also decides who may use the service."""

    async def authenticate(self, handler: Any, data: dict[str, str]) -> str | None:  # noqa: ANN401
        """Return the user's name, or None when name and password do not match.

        Raises an HTTP error with a sentence when too many attempts were made or the helper is down.
        """
        service: Service = handler.settings["berth"]
        result = await service.helper.check_password(data["username"], data["password"])
        match result.verdict:
            case PasswordVerdict.OK:
                journal.event(log, "login", user=data["username"], ip=handler.request.remote_ip)
                return data["username"]
            case PasswordVerdict.WRONG:
                _note(handler, data["username"], result)
                return None
            case _:
                _note(handler, data["username"], result)
                raise LoginRefused(result)


def _note(handler: Any, name: str, result: PasswordResult) -> None:  # noqa: ANN401 - JupyterHub's handler
    """Log and count a refusal. A name that nobody has logged in with may be a password in the wrong field."""
    figures.LOGINS_REFUSED.labels(result.verdict).inc()
    user = name if handler.find_user(name) is not None else "(unknown)"
    fields = {"user": user, "ip": handler.request.remote_ip, "reason": str(result.verdict)}
    log.warning(journal.Event("login-refused", fields | {"msg": result.message or None}))


class LoginRefused(web.HTTPError):
    """A login that failed for another reason than the password; the page says which, in its language."""

    def __init__(self, result: PasswordResult) -> None:
        """Choose status and sentence by the verdict."""
        status, key = _REFUSALS.get(result.verdict, (503, "pages.login_unavailable"))
        self.said = say(key, reason=result.message)
        super().__init__(status, self.said.in_language(ENGLISH).replace("%", "%%"))

    @property
    def jupyterhub_message(self) -> str:
        """The text that JupyterHub shows to the user."""
        return str(self.said)
