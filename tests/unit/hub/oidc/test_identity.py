from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from berth.hub.oidc.identity import AccountsFileError, NobodyError, account, accounts, identity
from berth.hub.oidc.settings import OidcSettings
from tests.unit.hub.oidc.provider import CLIENT, ISSUER

if TYPE_CHECKING:
    from pathlib import Path


def settings(**changes: Any) -> OidcSettings:
    return OidcSettings.model_validate({"issuer": ISSUER, "client_id": CLIENT, **changes})


def test_pages_call_the_provider_by_its_host_unless_it_has_a_name() -> None:
    assert settings().title == "id.example.org"
    assert settings(name="Campus login").title == "Campus login"


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "http://id.example.org"},
        {"issuer": "https://id.example.org/?tenant=1"},
        {"issuer": "id.example.org"},
        {"client_id": ""},
        {"scopes": ["profile"]},
        {"pattern": "alice@example"},
        {"pattern": "(a)(b)"},
        {"pattern": "(a"},
        {"pattern": "(a)", "accounts_file": "/etc/berth/accounts"},
        {"colour": "red"},
    ],
    ids=str,
)
def test_settings_that_cannot_be_meant_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**changes)


def test_a_claim_says_who_it_is() -> None:
    assert identity({"preferred_username": "alice"}, settings()) == "alice"


@pytest.mark.parametrize("value", [None, "", 7, ["alice"], "a" * 257, "a\nb", "a\0"])
def test_without_a_claim_that_can_be_a_name_it_is_nobody(value: object) -> None:
    with pytest.raises(NobodyError) as caught:
        identity({"preferred_username": value}, settings())
    assert "(it sends no “preferred_username”)" in str(caught.value.said)


@pytest.mark.parametrize("verified", [None, False, "true", 1])
def test_an_address_counts_only_when_the_provider_has_verified_it(verified: object) -> None:
    sent = {"email": "alice@example.org", "email_verified": verified}
    with pytest.raises(NobodyError, match="unverified"):
        identity(sent, settings(claim="email"))
    assert identity(sent, settings(claim="email", verified_email=False)) == "alice@example.org"
    assert identity({**sent, "email_verified": True}, settings(claim="email")) == "alice@example.org"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("alice@example.org", "alice"),
        ("alice@example.org.evil.example", None),
        ("x alice@example.org", None),
        ("alice@exampleXorg", None),
        ("alice@example.org\n", None),
        ("@example.org", None),
    ],
)
def test_a_pattern_has_to_match_the_whole_claim(name: str, found: str | None) -> None:
    site = settings(pattern=r"([a-z]*)@example\.org")
    if found is not None:
        assert account(name, site) == found
        return
    with pytest.raises(NobodyError) as caught:
        account(name, site)
    assert name.strip() in str(caught.value.said)


def test_a_list_knows_who_is_in_it_and_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "accounts"
    path.write_text("# subject account\n\n4711  alice\nbob@example.org bob\n", encoding="utf-8")
    site = settings(accounts_file=path)
    assert account("4711", site) == "alice"
    assert account("bob@example.org", site) == "bob"
    for name in ("alice", "4712", "#"):
        with pytest.raises(NobodyError):
            account(name, site)
    path.write_text("4712 carol\n", encoding="utf-8")
    assert account("4712", site) == "carol", "read anew"


@pytest.mark.parametrize("text", ["4711\n", "4711 alice bob\n", "4711 alice\n4711 bob\n"])
def test_a_list_that_is_not_clear_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "accounts"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(AccountsFileError, match=r"accounts:\d: write an identity once"):
        accounts(path)


def test_a_list_that_cannot_be_read_lets_nobody_in(tmp_path: Path) -> None:
    with pytest.raises(AccountsFileError, match="cannot be read"):
        account("alice", settings(accounts_file=tmp_path / "nowhere"))
    (tmp_path / "odd").write_bytes(b"\xff\xfe")
    with pytest.raises(AccountsFileError, match="cannot be read"):
        accounts(tmp_path / "odd")
