"""What a provider says of itself: `/.well-known/openid-configuration`, and the keys that it signs with.

OpenID Connect Discovery 1.0, sections 3 and 4. Asked when somebody signs in, never at start-up: a provider
that is away keeps nobody from what they have running.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import jwt

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

KEPT_SECONDS: Final = 3600.0
"""How long a discovery document counts; where the provider does not answer then, it counts on."""
KEYS_SECONDS: Final = 60.0
"""An unknown key makes the hub ask for the keys again, at most this often."""
WELL_KNOWN: Final = "/.well-known/openid-configuration"
ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""Signatures with a key of which the provider publishes half."""

log = logging.getLogger("berth.oidc")


class ProviderError(Exception):
    """The provider cannot be used: it does not answer, or says what it must not. For the journal."""


@dataclass(frozen=True)
class Provider:
    """What a provider says of itself. Addresses are `https`; an empty one is not offered."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    end_session_endpoint: str
    algorithms: tuple[str, ...]
    basic: bool
    """Whether it takes the client's secret in a header, rather than in the body only."""


def read(document: Any, issuer: str) -> Provider:  # noqa: ANN401 - whatever the provider sends
    """Read a discovery document; raises ProviderError where it is another's, or lacks what sign-in needs."""
    if not isinstance(document, dict):
        raise ProviderError(f"{issuer}{WELL_KNOWN} is no discovery document")
    if document.get("issuer") != issuer:
        raise ProviderError(f"{issuer} says that it is {document.get('issuer')!r}: write that as the issuer")
    signed = document.get("id_token_signing_alg_values_supported")
    algorithms = ALGORITHMS & set(signed if isinstance(signed, list) else ["RS256"])
    if not algorithms:
        raise ProviderError(f"{issuer} signs with none of {', '.join(sorted(ALGORITHMS))}")
    methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return Provider(
        issuer=issuer,
        authorization_endpoint=_address(document, "authorization_endpoint"),
        token_endpoint=_address(document, "token_endpoint"),
        jwks_uri=_address(document, "jwks_uri"),
        userinfo_endpoint=_address(document, "userinfo_endpoint", needed=False),
        end_session_endpoint=_address(document, "end_session_endpoint", needed=False),
        algorithms=tuple(sorted(algorithms)),
        basic="client_secret_basic" in methods,
    )


def _address(document: Mapping[str, Any], name: str, *, needed: bool = True) -> str:
    address = document.get(name)
    if address is None and not needed:
        return ""
    parts = urlsplit(address) if isinstance(address, str) else None
    if parts is None or parts.scheme != "https" or not parts.netloc:
        raise ProviderError(f"{document['issuer']} has no https address as its {name}")
    return str(address)


@dataclass
class Discovery:
    """Asks one provider and keeps the answers. `fetch` gets a URL's JSON; it may raise anything."""

    issuer: str
    fetch: Callable[[str], Awaitable[Any]]
    _provider: Provider | None = None
    _asked: float = float("-inf")
    _keys: dict[str, jwt.PyJWK] = field(default_factory=dict)
    _keys_asked: float = float("-inf")
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def provider(self) -> Provider:
        """Return what the provider says of itself; raises ProviderError where it never said."""
        async with self._lock:
            if time.monotonic() - self._asked > KEPT_SECONDS:
                try:
                    self._provider = read(await self._get(self.issuer.rstrip("/") + WELL_KNOWN), self.issuer)
                    self._asked = time.monotonic()
                except ProviderError as error:
                    if self._provider is None:
                        raise
                    log.warning("What the provider said before still counts: %s", error)
            if self._provider is None:
                raise ProviderError(f"{self.issuer} has not been asked")
            return self._provider

    async def key(self, key_id: str) -> jwt.PyJWK:
        """Return the key that the provider signs with under an id; raises ProviderError where it has none."""
        if key_id not in self._keys:
            await self.keys()
        # One key may do without an id (RFC 7517, 4.5).
        only = next(iter(self._keys.values())) if len(self._keys) == 1 and not key_id else None
        found = self._keys.get(key_id, only)
        if found is None:
            raise ProviderError(f"{self.issuer} publishes no key with the id {key_id!r}")
        return found

    async def keys(self) -> None:
        """Have the provider's keys; they are asked for again at most once in `KEYS_SECONDS`."""
        provider = await self.provider()
        async with self._lock:
            if time.monotonic() - self._keys_asked > KEYS_SECONDS:
                self._keys = _keys(await self._get(provider.jwks_uri))
                self._keys_asked = time.monotonic()
        if not self._keys:
            raise ProviderError(f"{provider.jwks_uri} has no key that can be used")

    async def _get(self, url: str) -> Any:  # noqa: ANN401 - JSON
        try:
            return await self.fetch(url)
        except Exception as error:  # whatever an HTTP client, TLS or a JSON parser raises
            raise ProviderError(f"{url} cannot be had: {error}") from error


def _keys(document: Any) -> dict[str, jwt.PyJWK]:  # noqa: ANN401 - whatever the provider sends
    """Read the keys that sign; those of kinds that this library does not know are left out."""
    listed = document.get("keys") if isinstance(document, dict) else None
    found: dict[str, jwt.PyJWK] = {}
    for entry in listed if isinstance(listed, list) else ():
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
            continue
        try:
            key = jwt.PyJWK(entry)
        except jwt.PyJWTError as error:
            log.info("A key of the provider's is left out: %s", error)
            continue
        found[key.key_id or ""] = key
    return found
