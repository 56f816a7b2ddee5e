"""The two addresses of a sign-in: where it begins, and where the provider sends people back to."""

from __future__ import annotations

from typing import Any, Final

from oauthenticator.oauth2 import (
    OAuthCallbackHandler,
    OAuthLoginHandler,
    _deserialize_state,
)

from berth.hub.handlers.base import Refused
from berth.hub.oidc.idtoken import nonce_of
from berth.hub.texts.text import say

SHOWN: Final = 200
"""Characters of what a provider says that a page repeats."""


class _SignInPage:
    """Shows an error as a page of ours, from which its reader can sign in again, or as somebody else."""

    def _request_summary(self) -> str:
        """Name the request for the journal without its query, which holds the provider's code."""
        request: Any = self
        return f"{request.request.method} {request.request.path} ({request.request.remote_ip})"

    def render_template(self, name: str, **values: Any) -> Any:  # noqa: ANN401 - text, or what gives text
        page: Any = super()
        return page.render_template("signin_refused.html" if name == "error.html" else name, **values)


class SignInHandler(_SignInPage, OAuthLoginHandler):
    """`/hub/oauth_login`: on to the provider. `?again=1`: it shall ask who it is, also whom it remembers."""

    async def get(self) -> None:
        """Find out where that is, then go there."""
        await self.authenticator.prepare()
        super().get()

    def _generate_pkce_params(self) -> tuple[str, str]:
        self._verifier, challenge = super()._generate_pkce_params()
        return self._verifier, challenge

    def authorize_redirect(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - tornado's signature
        """Ask for an answer that only this browser can use."""
        more = {"nonce": nonce_of(self._verifier)}
        if self.get_argument("again", ""):
            more["prompt"] = "login"
        named["extra_params"] = {**named["extra_params"], **more}
        super().authorize_redirect(*arguments, **named)


class CallbackHandler(_SignInPage, OAuthCallbackHandler):
    """`/hub/oauth_callback`: back from the provider."""

    def check_arguments(self) -> None:
        """Refuse an answer that this browser did not ask for, or that is a no."""
        self.check_state()
        title = self.authenticator.site.title
        if error := self.get_argument("error", ""):
            reason = self.get_argument("error_description", "") or error
            self.log.warning("%s refuses a sign-in: %s", title, reason)
            raise Refused(403, say("signin.refused", provider=title, reason=reason[:SHOWN]))
        if not self.get_argument("code", ""):
            raise Refused(400, say("signin.stale", provider=title))

    def check_state(self) -> None:
        """Refuse what was begun elsewhere, or so long ago that the browser has forgotten it."""
        known = _state(self.get_state_cookie())
        if not known or known != _state(self.get_argument("state", "")):
            raise Refused(400, say("signin.stale", provider=self.authenticator.site.title))


def _state(text: str) -> str:
    try:
        state = _deserialize_state(text) if text else {}
    except (UnicodeError, AttributeError):
        return ""
    return str(state.get("state_id") or "") if isinstance(state, dict) else ""
