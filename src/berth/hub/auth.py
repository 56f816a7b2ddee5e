"""Login with the cluster account: the privileged helper asks PAM, the hub never sees a shadow file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jupyterhub.auth import Authenticator
from tornado import web

from berth.helper.client import PasswordResult, PasswordVerdict
from berth.hub.texts.text import ENGLISH, say

if TYPE_CHECKING:
    from berth.hub.service import Service

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
                return data["username"]
            case PasswordVerdict.WRONG:
                self.log.warning("Login refused: %s", result.verdict)
                return None
            case _:
                self.log.warning("Login refused: %s: %s", result.verdict, result.message)
                raise LoginRefused(result)


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
