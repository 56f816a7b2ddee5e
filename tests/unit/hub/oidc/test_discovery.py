from __future__ import annotations

from typing import Any

import pytest

from berth.hub.oidc import discovery as module
from berth.hub.oidc.discovery import WELL_KNOWN, ProviderError, read
from tests.unit.hub.oidc.provider import ISSUER, Site, discovery, document, key, public, site


def test_a_document_says_where_to_go_and_what_is_signed_with() -> None:
    provider = read(document(), ISSUER)
    assert provider.authorization_endpoint == f"{ISSUER}/authorize"
    assert provider.algorithms == ("RS256",), "neither none nor a signature with the client's own secret"
    assert provider.basic


@pytest.mark.parametrize(
    ("methods", "basic"),
    [(None, True), (["client_secret_post"], False), (["client_secret_post", "client_secret_basic"], True)],
)
def test_the_secret_travels_as_the_provider_takes_it(methods: list[str] | None, *, basic: bool) -> None:
    assert read(document(token_endpoint_auth_methods_supported=methods), ISSUER).basic is basic


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"issuer": "https://id.example.org"}, "says that it is 'https://id.example.org'"),
        ({"issuer": None}, "says that it is None"),
        ({"token_endpoint": None}, "no https address as its token_endpoint"),
        ({"jwks_uri": "http://id.example.org/keys"}, "no https address as its jwks_uri"),
        ({"authorization_endpoint": ["https://x"]}, "no https address as its authorization_endpoint"),
        ({"userinfo_endpoint": "//id.example.org"}, "no https address as its userinfo_endpoint"),
        ({"id_token_signing_alg_values_supported": ["HS256"]}, "signs with none of"),
    ],
)
def test_a_document_that_cannot_be_used_is_refused_with_the_reason(
    changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ProviderError, match=r"id\.example\.org") as caught:
        read(document(**changes), ISSUER)
    assert words in str(caught.value)


@pytest.mark.parametrize("answer", [None, [], "text", 1])
def test_something_else_is_no_document(answer: object) -> None:
    with pytest.raises(ProviderError, match="is no discovery document"):
        read(answer, ISSUER)


async def test_the_provider_is_asked_once_and_not_before_somebody_signs_in() -> None:
    provider = site()
    asking = discovery(provider)
    assert provider.asked == []
    await asking.provider()
    await asking.provider()
    assert provider.asked == [f"{ISSUER}{WELL_KNOWN}"]


async def test_a_provider_that_was_away_is_asked_again() -> None:
    provider = Site({f"{ISSUER}{WELL_KNOWN}": OSError("no route")})
    asking = discovery(provider)
    with pytest.raises(ProviderError, match=r"well-known/openid-configuration cannot be had: no route"):
        await asking.provider()
    provider.answers[f"{ISSUER}{WELL_KNOWN}"] = document()
    assert (await asking.provider()).token_endpoint == f"{ISSUER}/token"


async def test_what_it_said_counts_on_while_it_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_SECONDS", -1.0)
    provider = site()
    asking = discovery(provider)
    await asking.provider()
    provider.answers[f"{ISSUER}{WELL_KNOWN}"] = OSError("no route")
    assert (await asking.provider()).token_endpoint == f"{ISSUER}/token"
    assert len(provider.asked) == 2


async def test_a_new_key_is_found_and_unknown_ones_do_not_flood_the_provider(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider = site(key())
    asking = discovery(provider)
    assert (await asking.key("one")).key_id == "one"
    for _ in range(5):
        with pytest.raises(ProviderError, match="no key with the id 'two'"):
            await asking.key("two")
    assert provider.asked.count(f"{ISSUER}/keys") == 1
    provider.answers[f"{ISSUER}/keys"]["keys"].append(public(key(), "two"))
    monkeypatch.setattr(module, "KEYS_SECONDS", -1.0)
    assert (await asking.key("two")).key_id == "two"


async def test_keys_that_do_not_sign_or_that_nobody_knows_are_left_out() -> None:
    provider = site()
    provider.answers[f"{ISSUER}/keys"] = {
        "keys": [public(key(), "enc", use="enc"), {"kty": "XYZ", "kid": "odd"}, 3, public(key(), "good")]
    }
    asking = discovery(provider)
    assert (await asking.key("good")).key_id == "good"
    for name in ("enc", "odd"):
        with pytest.raises(ProviderError):
            await asking.key(name)


@pytest.mark.parametrize("answer", [None, [], {"keys": 1}, {"keys": []}])
async def test_a_provider_without_keys_cannot_be_used(answer: object) -> None:
    provider = site()
    provider.answers[f"{ISSUER}/keys"] = answer
    with pytest.raises(ProviderError, match="has no key that can be used"):
        await discovery(provider).keys()
