"""A provider's documents and signatures, made with real keys; the real provider is in tests/lab_signin."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from berth.hub.oidc.discovery import WELL_KNOWN, Discovery

ISSUER = "https://id.example.org/realm"
CLIENT = "berth"
NONCE = "a-nonce"


def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public(private: rsa.RSAPrivateKey, key_id: str, **more: str) -> dict[str, Any]:
    """The published half of a key."""
    entry = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(private.public_key()))
    return {**entry, "kid": key_id, "use": "sig", **more}


def document(**changes: Any) -> dict[str, Any]:
    """A discovery document; None leaves an entry out."""
    whole = {
        "issuer": ISSUER,
        "authorization_endpoint": f"{ISSUER}/authorize",
        "token_endpoint": f"{ISSUER}/token",
        "jwks_uri": f"{ISSUER}/keys",
        "userinfo_endpoint": f"{ISSUER}/me",
        "end_session_endpoint": f"{ISSUER}/leave",
        "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


@dataclass
class Site:
    """What a provider answers, by URL; an exception is raised. Counts what it was asked."""

    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def fetch(self, url: str) -> Any:
        self.asked.append(url)
        answer = self.answers[url]
        if isinstance(answer, Exception):
            raise answer
        return answer


def site(private: rsa.RSAPrivateKey | None = None, **changes: Any) -> Site:
    """A provider that signs with one key."""
    keys = [public(private, "one")] if private is not None else []
    return Site({f"{ISSUER}{WELL_KNOWN}": document(**changes), f"{ISSUER}/keys": {"keys": keys}})


def discovery(provider: Site) -> Discovery:
    return Discovery(ISSUER, provider.fetch)


def token(private: Any, key_id: str = "one", algorithm: str = "RS256", **changes: Any) -> str:
    """An ID token for alice, now; None leaves a claim out."""
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": "alice", "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": NONCE}
    whole = {name: value for name, value in {**claims, **changes}.items() if value is not None}
    return jwt.encode(whole, private, algorithm, headers={"kid": key_id})
