"""Which account of the cluster a person is: by a claim as it is, by a pattern, or by the site's own list."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from berth.hub.texts.text import say

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from berth.hub.oidc.settings import OidcSettings
    from berth.hub.texts.text import Text

MAX_LENGTH: Final = 256
"""Characters of a claim; a longer one is nobody's name."""


class NobodyError(Exception):
    """A person has no account here; `said` tells them why, and who they are for the provider."""

    def __init__(self, said: Text) -> None:
        """Keep the sentence."""
        super().__init__(said.key)
        self.said = said


class AccountsFileError(Exception):
    """The site's list of accounts cannot be read. For the journal."""


def identity(claims: Mapping[str, Any], settings: OidcSettings) -> str:
    """Return who a person is for the provider; raises NobodyError where it does not say so."""
    found = claims.get(settings.claim)
    if not isinstance(found, str) or not found or len(found) > MAX_LENGTH or not found.isprintable():
        raise NobodyError(say("signin.no_claim", provider=settings.title, claim=settings.claim))
    if settings.claim == "email" and settings.verified_email and claims.get("email_verified") is not True:
        raise NobodyError(say("signin.unverified", provider=settings.title, identity=found))
    return found


def account(identity: str, settings: OidcSettings) -> str:
    """Return the account that a person is; raises NobodyError where there is none, AccountsFileError.

    Reads the site's list, which is small and local, but on a disk: for a thread.
    """
    name: str | None = identity
    if settings.accounts_file is not None:
        name = accounts(settings.accounts_file).get(identity)
    elif settings.pattern:
        found = re.fullmatch(settings.pattern, identity)
        name = found[1] if found else None
    if not name:
        raise NobodyError(say("signin.unmapped", provider=settings.title, identity=identity))
    return name


def accounts(path: Path) -> dict[str, str]:
    """Read a list: on each line an identity and its account; blank lines and those with `#` are left out."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise AccountsFileError(f"{path} cannot be read: {error}") from error
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2 or words[0] in found:  # noqa: PLR2004 - an identity and its account
            raise AccountsFileError(f"{path}:{number}: write an identity once, a blank, and its account")
        found[words[0]] = words[1]
    return found
