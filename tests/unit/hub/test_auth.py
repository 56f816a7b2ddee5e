"""What the login page says when the password was not the reason."""

from __future__ import annotations

from contextvars import ContextVar

import pytest

from berth.helper.client import PasswordResult, PasswordVerdict
from berth.hub.auth import LoginRefused
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
