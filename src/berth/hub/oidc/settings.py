"""What the site says about its provider: the part `oidc` of `/etc/berth/hub.yml`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

SECRET_VARIABLE: Final = "BERTH_OIDC_CLIENT_SECRET"  # noqa: S105 - its name only
"""Where the hub's environment has the client's secret until it is read; none of the hub's files has it."""


def _issuer(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.netloc or parts.query or parts.fragment:
        message = f"{text!r} is no issuer; write its https address without a query, as the provider does"
        raise ValueError(message)
    return text


def _pattern(text: str) -> str:
    try:
        groups = re.compile(text).groups
    except re.error as error:
        message = f"{text!r} is no regular expression: {error}"
        raise ValueError(message) from error
    if text and groups != 1:
        message = f"{text!r} needs one pair of parentheses, around what is the account"
        raise ValueError(message)
    return text


class OidcSettings(BaseModel):
    """How the hub asks the provider, and which account a person is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: Annotated[str, AfterValidator(_issuer)]
    """The provider's address, exactly as it says it itself (`issuer` of its discovery document)."""
    client_id: str = Field(min_length=1)
    name: str = ""
    """What users call the provider; empty: the host of the issuer."""
    scopes: tuple[str, ...] = ("openid", "profile")
    claim: str = Field(default="preferred_username", min_length=1)
    """The claim that says who it is."""
    pattern: Annotated[str, AfterValidator(_pattern)] = ""
    """The account is what its one group matches in the whole claim; empty: the claim as it is."""
    accounts_file: Path | None = None
    """A line `claim account` for each person; nobody else comes in. None: no such file."""
    verified_email: bool = True
    """Whether the claim `email` counts only where the provider says that it has verified the address."""
    logout: bool = False
    """Whether logging out here leads on to the provider's own log-out."""
    ca: Path | None = None
    """Certificates of the CAs that the provider's is checked with; None: those of the Python packages."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if "openid" not in self.scopes:
            message = "scopes: openid has to be among them"
            raise ValueError(message)
        if self.pattern and self.accounts_file:
            message = "pattern and accounts_file: set one of them"
            raise ValueError(message)
        return self

    @property
    def title(self) -> str:
        """What the pages call the provider."""
        return self.name or urlsplit(self.issuer).netloc
