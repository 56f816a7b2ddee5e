"""JupyterHub's end of the sign-in: from the provider's answer to an account of the cluster."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import quote

from oauthenticator.generic import GenericOAuthenticator
from oauthenticator.oauth2 import _deserialize_state
from tornado import web
from tornado.httpclient import HTTPClientError
from tornado.httputil import url_concat

from berth import journal
from berth.helper.client import PasswordVerdict
from berth.hub.auth import AccountAuthenticator, log
from berth.hub.handlers.base import Refused
from berth.hub.oidc import handlers, idtoken
from berth.hub.oidc.discovery import Discovery, Provider, ProviderError
from berth.hub.oidc.identity import AccountsFileError, NobodyError, account, identity
from berth.hub.texts.text import say

if TYPE_CHECKING:
    from berth.hub.oidc.settings import OidcSettings
    from berth.hub.service import Service

_REFUSALS: Final = {
    PasswordVerdict.NO_ACCOUNT: "signin.no_account",
    PasswordVerdict.NOT_IN_GROUP: "signin.not_in_group",
    PasswordVerdict.NOT_ALLOWED: "signin.not_allowed",
}

# What a provider, the way to it, or its answers may bring.
_UNUSABLE: Final = (
    *(ProviderError, AccountsFileError, HTTPClientError, web.HTTPError),
    *(OSError, TypeError, ValueError),
)


class OidcAuthenticator(AccountAuthenticator, GenericOAuthenticator):
    """Signs in at the site's provider. No token of its is kept: it is asked once, who somebody is."""

    site: ClassVar[OidcSettings]
    """What the site says; given by `berth.hub.config`."""
    public_url: ClassVar[str]
    login_handler = handlers.SignInHandler
    callback_handler = handlers.CallbackHandler
    _discovery: Discovery | None = None

    @property
    def discovery(self) -> Discovery:
        """What the provider says of itself."""
        if self._discovery is None:
            self._discovery = Discovery(self.site.issuer, self._fetch)
        return self._discovery

    async def _fetch(self, url: str) -> Any:  # noqa: ANN401 - JSON
        return await self.httpfetch(url, label="asking the provider")

    async def prepare(self) -> Provider:
        """Have the provider's addresses; raises Refused while it has never said them."""
        try:
            provider = await self.discovery.provider()
        except ProviderError as error:
            raise self.away(error) from error
        self.authorize_url = provider.authorization_endpoint
        self.token_url = provider.token_endpoint
        self.basic_auth = provider.basic
        return provider

    def away(self, error: object) -> Refused:
        """Return the refusal of whoever signs in while the provider cannot be used; the journal says why."""
        self.log.error("Nobody can sign in at %s: %s", self.site.issuer, error)
        return Refused(503, say("signin.away", provider=self.site.title))

    def build_token_info_request_headers(self) -> dict[str, str]:
        """Return the headers with the client's secret, as RFC 6749, 2.3.1 says: each part is quoted first."""
        headers: dict[str, str] = super().build_token_info_request_headers()
        if self.basic_auth:
            quoted = ":".join(quote(word, safe="") for word in (self.client_id, self.client_secret))
            headers["Authorization"] = f"Basic {base64.b64encode(quoted.encode()).decode()}"
        return headers

    async def authenticate(self, handler: Any, *_: Any, **__: Any) -> dict[str, Any]:  # noqa: ANN401
        """Return the user whom the provider names, or raise an HTTP error that says why not."""
        provider = await self.prepare()
        verifier = _deserialize_state(handler.get_state_cookie()).get("code_verifier", "")
        try:
            answer = await self.get_token_info(handler, self.build_access_tokens_request_params(handler))
            claims = await self._claims(answer, idtoken.nonce_of(verifier), provider)
            name = identity(claims, self.site)
            own = await asyncio.to_thread(account, name, self.site)
        except NobodyError as error:
            self.log.warning("Login refused: %s", error.said.in_language("en"))
            raise Refused(403, error.said) from error
        except _UNUSABLE as error:
            raise self.away(error) from error
        person = await self._come_in(handler.settings["berth"], name, own)
        journal.event(log, "login", user=own, ip=handler.request.remote_ip)
        return person

    async def _claims(self, answer: dict[str, Any], nonce: str, provider: Provider) -> dict[str, Any]:
        """Return what the provider says of a person: in the ID token, or else where it tells more."""
        signed = await idtoken.claims(answer.get("id_token"), nonce, self.client_id, self.discovery)
        if self.site.claim in signed or not provider.userinfo_endpoint:
            return signed
        headers = self.build_userdata_request_headers(answer["access_token"], "Bearer")
        more = await self.httpfetch(provider.userinfo_endpoint, "asking who signs in", headers=headers)
        if not isinstance(more, dict) or more.get("sub") != signed["sub"]:
            raise ProviderError(f"{provider.userinfo_endpoint} answers with somebody else")
        return more | signed

    async def _come_in(self, service: Service, name: str, own: str) -> dict[str, Any]:
        """Ask the helper about the account, as of everybody who logs in."""
        result = await service.helper.check_account(own)
        if result.verdict is PasswordVerdict.OK:
            return await self.admitted(service, own)
        self.log.warning("Login of %s as %s refused: %s: %s", name, own, result.verdict, result.message)
        if result.verdict not in _REFUSALS:
            raise Refused(503, say("signin.unavailable"))
        said = say(
            _REFUSALS[result.verdict],
            provider=self.site.title,
            identity=name,
            account=own,
            reason=result.message,
        )
        raise Refused(403, said)

    async def end_session_url(self) -> str:
        """Return the provider's log-out; empty where the site does not want it, or there is none."""
        if not self.site.logout:
            return ""
        try:
            provider = await self.discovery.provider()
        except ProviderError as error:
            self.log.warning("The provider does not learn of a log-out: %s", error)
            return ""
        if not provider.end_session_endpoint:
            return ""
        back = {"client_id": self.client_id, "post_logout_redirect_uri": f"{self.public_url}/hub/login"}
        url: str = url_concat(provider.end_session_endpoint, back)
        return url
