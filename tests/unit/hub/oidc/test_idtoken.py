from __future__ import annotations

import base64
import time
from typing import Any

import jwt
import pytest

from berth.hub.oidc.discovery import ProviderError
from berth.hub.oidc.idtoken import claims, nonce_of
from tests.unit.hub.oidc.provider import CLIENT, ISSUER, NONCE, discovery, key, site, token

PRIVATE = key()


async def read(text: object, nonce: str = NONCE) -> dict[str, Any]:
    return await claims(text, nonce, CLIENT, discovery(site(PRIVATE)))


async def test_a_token_of_the_provider_for_this_client_and_browser_says_who_it_is() -> None:
    found = await read(token(PRIVATE, preferred_username="alice"))
    assert (found["sub"], found["preferred_username"]) == ("alice", "alice")


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://elsewhere.example"},
        {"aud": "another"},
        {"aud": ["berth", "another"]},
        {"aud": ["berth", "another"], "azp": "another"},
        {"aud": None},
        {"azp": "another"},
        {"exp": int(time.time()) - 120},
        {"exp": None},
        {"iat": None},
        {"sub": None},
        {"nonce": "another"},
        {"nonce": None},
        {"nbf": int(time.time()) + 3600},
    ],
    ids=str,
)
async def test_a_token_for_another_client_browser_or_moment_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ProviderError):
        await read(token(PRIVATE, **changes))


async def test_several_audiences_are_fine_where_this_client_is_the_party() -> None:
    assert (await read(token(PRIVATE, aud=["berth", "another"], azp="berth")))["sub"] == "alice"


async def test_a_signature_with_another_key_is_refused() -> None:
    with pytest.raises(ProviderError, match="not valid"):
        await read(token(key()))


async def test_a_key_that_the_provider_does_not_publish_is_refused() -> None:
    with pytest.raises(ProviderError, match="no key with the id 'two'"):
        await read(token(PRIVATE, "two"))


async def test_no_signature_and_one_with_what_everybody_knows_are_refused() -> None:
    published = site(PRIVATE).answers[f"{ISSUER}/keys"]["keys"][0]["n"]
    forged = [
        jwt.encode({"iss": ISSUER, "sub": "alice"}, "", "none"),
        token(base64.urlsafe_b64decode(published + "=="), algorithm="HS256"),
    ]
    for text in forged:
        with pytest.raises(ProviderError, match="signed with"):
            await read(text)


@pytest.mark.parametrize("text", [None, "", "a.b.c", 7, "a" * 100])
async def test_what_is_no_token_is_refused(text: object) -> None:
    with pytest.raises(ProviderError):
        await read(text)


def test_a_nonce_does_not_tell_what_the_cookie_holds() -> None:
    one, other = nonce_of("verifier"), nonce_of("verifies")
    assert one != other
    assert one == nonce_of("verifier")
    assert len(one) == 43
