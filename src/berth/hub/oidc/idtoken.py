"""What a provider says of a person: the ID token, checked as OpenID Connect Core 1.0, 3.1.3.7 asks."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Any, Final

import jwt

from berth.hub.oidc.discovery import ProviderError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from berth.hub.oidc.discovery import Discovery

CLOCK_SECONDS: Final = 60
"""How far the provider's clock may be from the hub's."""
_REQUIRED: Final = ["iss", "sub", "aud", "exp", "iat"]


def nonce_of(code_verifier: str) -> str:
    """Return the nonce that belongs to a browser's secret (Core 15.5.2: a hash of what its cookie holds)."""
    digest = hashlib.sha256(f"nonce:{code_verifier}".encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


async def claims(token: object, nonce: str, client_id: str, discovery: Discovery) -> dict[str, Any]:
    """Return what an ID token says; raises ProviderError for another browser, client or moment."""
    provider = await discovery.provider()
    if not isinstance(token, str):
        raise ProviderError(f"{provider.issuer} gave no ID token")
    try:
        header = jwt.get_unverified_header(token)
        if header.get("alg") not in provider.algorithms:
            raise ProviderError(f"the ID token is signed with {header.get('alg')!r}")
        key = await discovery.key(str(header.get("kid") or ""))
        found: dict[str, Any] = jwt.decode(
            token,
            key=key.key,
            algorithms=[header["alg"]],
            audience=client_id,
            issuer=provider.issuer,
            leeway=CLOCK_SECONDS,
            options={"require": _REQUIRED},
        )
    except (jwt.PyJWTError, TypeError, ValueError) as error:  # a key of another kind than the signature
        raise ProviderError(f"the ID token is not valid: {error}") from error
    if not hmac.compare_digest(str(found.get("nonce", "")).encode(), nonce.encode()):
        raise ProviderError("the ID token is an answer to another sign-in")
    _check_party(found, client_id)
    return found


def _check_party(found: Mapping[str, Any], client_id: str) -> None:
    """Refuse a token that was made for another client beside this one."""
    audience = found["aud"]
    party = found.get("azp", client_id if isinstance(audience, str) or len(audience) == 1 else None)
    if party != client_id:
        raise ProviderError(f"the ID token is for {party!r}")
