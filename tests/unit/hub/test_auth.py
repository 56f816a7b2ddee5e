"""What the login page says when the password was not the reason; and who is an admin, and for how long."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from traitlets.config import Config

from berth.helper.client import PasswordResult, PasswordVerdict
from berth.hub.auth import HelperAuthenticator, LoginRefused
from berth.hub.lookup import NoAnswerError
from berth.hub.texts import text

HELPER = "The helper cannot be reached: [Errno 2] 100 % of it."


@pytest.mark.parametrize(
    ("verdict", "status", "english", "italian"),
    [
        (PasswordVerdict.RATE_LIMITED, 429, "Too many wrong passwords.", "Troppe password errate."),
        (PasswordVerdict.NOT_IN_GROUP, 403, "The password is right, but this", "La password è corretta, ma"),
        (PasswordVerdict.UNAVAILABLE, 503, "The service cannot check", "Al momento il servizio non può"),
    ],
)
def test_a_login_that_fails_for_another_reason_says_it_in_the_reader_s_language(
    monkeypatch: pytest.MonkeyPatch, verdict: PasswordVerdict, status: int, english: str, italian: str
) -> None:
    refused = LoginRefused(PasswordResult(verdict, HELPER))
    assert refused.status_code == status
    assert refused.jupyterhub_message.startswith(english)
    monkeypatch.setattr(text, "language", ContextVar("test", default="it"))
    assert refused.jupyterhub_message.startswith(italian)
    assert "helper" not in refused.jupyterhub_message
    assert english in str(refused)


def test_the_system_s_own_words_for_an_account_that_it_does_not_let_in_are_kept() -> None:
    words = "Your account has expired (100 %)."
    refused = LoginRefused(PasswordResult(PasswordVerdict.NOT_ALLOWED, words))
    assert refused.jupyterhub_message.endswith(words)
    assert "Your account has expired" in str(refused)


@dataclass
class Groups:
    """Who is in which group; None: the directory does not answer."""

    of: dict[str, tuple[str, ...] | None] = field(default_factory=dict)

    async def ask(self, user: str) -> tuple[str, ...]:
        found = self.of.get(user, ())
        if found is None:
            raise NoAnswerError("groups")
        return found


class Helper:
    """Finds every password right."""

    async def check_password(self, _user: str, _password: str) -> PasswordResult:
        return PasswordResult(PasswordVerdict.OK)


def authenticator(*groups: str) -> HelperAuthenticator:
    config = Config()
    config.Authenticator.admin_users = {"root-of-all"}
    config.AccountAuthenticator.admin_unix_groups = set(groups)
    return HelperAuthenticator(config=config)


def handler(**of: tuple[str, ...] | None) -> Any:
    settings = {"berth": SimpleNamespace(helper=Helper(), groups=Groups(of))}
    return SimpleNamespace(settings=settings, request=SimpleNamespace(remote_ip="192.0.2.1"))


async def admin(name: str, *groups: str, **of: tuple[str, ...] | None) -> object:
    found = await authenticator(*groups).authenticate(handler(**of), {"username": name, "password": "x"})
    assert found is not None
    assert found["name"] == name
    return found["admin"]


async def test_admins_are_those_who_are_named_and_the_members_of_the_groups_that_are() -> None:
    assert await admin("alice", "operators", alice=("users", "operators")) is True
    assert await admin("bob", "operators", bob=("users",)) is False
    assert await admin("root-of-all", "operators") is True
    assert await admin("alice", alice=("operators",)) is False


@pytest.mark.parametrize("silence", [None, ()], ids=["no answer", "no groups at all"])
async def test_while_nobody_says_who_is_in_which_group_all_stays_as_it_is(
    silence: tuple[str, ...] | None,
) -> None:
    assert await admin("alice", "operators", alice=silence) is None
    user = SimpleNamespace(name="alice", admin=True)
    assert await authenticator("operators").refresh_user(user, handler(alice=silence)) is True


async def test_whoever_leaves_the_group_is_no_admin_any_more_and_stays_logged_in() -> None:
    own, user = authenticator("operators"), SimpleNamespace(name="alice", admin=True)
    assert await own.refresh_user(user, handler(alice=("users", "operators"))) is True
    assert await own.refresh_user(user, handler(alice=("users",))) == {"name": "alice", "admin": False}
    assert await own.refresh_user(user) is True


def test_two_names_that_differ_in_case_are_two_accounts() -> None:
    assert authenticator().normalize_username("Alice") == "Alice"
