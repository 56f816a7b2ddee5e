"""Login with the cluster account: the privileged helper asks PAM, the hub never sees a shadow file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyterhub.auth import Authenticator
from tornado import web

from berth.helper.client import PasswordResult, PasswordVerdict

if TYPE_CHECKING:
    from berth.hub.service import Service


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
                raise LoginRefused(result)


class LoginRefused(web.HTTPError):
    """A login that failed for another reason than the password; the page shows the helper's sentence."""

    def __init__(self, result: PasswordResult) -> None:
        """Choose the status by the verdict."""
        status = {PasswordVerdict.RATE_LIMITED: 429, PasswordVerdict.NOT_ALLOWED: 403}.get(
            result.verdict, 503
        )
        super().__init__(status, result.message.replace("%", "%%"))
        self.jupyterhub_message = result.message
