"""An account whose owner another service has identified: let in under the same rules as with a password."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from berth.helper import __main__ as server
from berth.helper import accounts
from berth.helper.protocol import CheckAccount

if TYPE_CHECKING:
    from berth.helper.settings import Settings
    from tests.unit.helper.conftest import Pam


def outcome(user: str, settings: Settings) -> object:
    answer = accounts.check(CheckAccount(user), settings)
    return answer["ok"] or answer["error"]


def test_an_ordinary_account_may_use_the_service_and_no_password_is_tried(
    ordinary: str,
    settings: Settings,
    pam: Pam,
) -> None:
    assert outcome(ordinary, settings) is True
    assert pam.tried == []


@pytest.mark.parametrize("name", ["root", "daemon", "berth-stranger"])
def test_root_the_system_s_accounts_and_unknown_names_are_no_account(
    name: str,
    settings: Settings,
    pam: Pam,
) -> None:
    assert outcome(name, settings) == "no-account"
    assert pam.tried == []


def test_group_and_expiry_hold_as_with_a_password(ordinary: str, settings: Settings, pam: Pam) -> None:
    closed = dataclasses.replace(settings, allowed_group="berth-no-such-group")
    assert outcome(ordinary, closed) == "not-in-group"
    pam.expired.add(ordinary)
    assert outcome(ordinary, settings) == "not-allowed"


def test_the_log_names_the_verb_and_only_names_that_there_are(ordinary: str) -> None:
    assert server._title(CheckAccount(ordinary)) == {"verb": "check-account", "user": ordinary}
    assert server._title(CheckAccount("berth-stranger")) == {
        "verb": "check-account",
        "user": "(unknown)",
    }
