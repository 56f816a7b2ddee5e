"""Login with the cluster account: the privileged helper asks PAM, the hub never sees a shadow file."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from jupyterhub.auth import Authenticator
from tornado import web
from traitlets import Set, Unicode

from berth import journal
from berth.helper.client import PasswordResult, PasswordVerdict
from berth.hub.lookup import NoAnswerError
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


class AccountAuthenticator(Authenticator):
    """What holds of every login: names are the system's, and who is admin is said by the settings."""

    admin_unix_groups = Set(Unicode(), config=True, help="Unix groups whose members are admins.")

    def normalize_username(self, username: str) -> str:
        """Leave a name as it is: the system may know ALICE beside alice."""
        return username

    async def admitted(self, service: Service, name: str) -> dict[str, Any]:
        """Return what JupyterHub keeps of somebody who may come in."""
        return {"name": name, "admin": await self._admin(service, name)}

    async def refresh_user(self, user: Any, handler: Any = None, **_: Any) -> bool | dict[str, Any]:  # noqa: ANN401
        """Every few minutes of somebody's visit: whoever has left the admins' groups is no admin any more."""
        if handler is None:
            return True
        admin = await self._admin(handler.settings["berth"], user.name)
        return True if admin in {None, user.admin} else {"name": user.name, "admin": admin}

    async def end_session_url(self) -> str:
        """Return where logging out goes on to; empty: nowhere."""
        return ""

    async def _admin(self, service: Service, name: str) -> bool | None:
        """Tell whether somebody is an admin; None where nobody says it now: then all stays as it is."""
        if name in self.admin_users or not self.admin_unix_groups:
            return name in self.admin_users
        try:
            groups = await service.groups.ask(name)
        except NoAnswerError:
            return None
        # Nobody is in no group: a directory that is away knows no users.
        return bool(self.admin_unix_groups.intersection(groups)) if groups else None


class HelperAuthenticator(AccountAuthenticator):
    """Checks user name and password through the helper, which also decides who may use the service."""

    async def authenticate(self, handler: Any, data: dict[str, str]) -> dict[str, Any] | None:  # noqa: ANN401
        """Return the user, or None when name and password do not match.

        Raises an HTTP error with a sentence when too many attempts were made or the helper is down.
        """
        service: Service = handler.settings["berth"]
        result = await service.helper.check_password(data["username"], data["password"])
        match result.verdict:
            case PasswordVerdict.OK:
                person = await self.admitted(service, data["username"])
                journal.event(log, "login", user=data["username"], ip=handler.request.remote_ip)
                return person
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
