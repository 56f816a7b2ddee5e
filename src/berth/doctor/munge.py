"""Munge: a real credential, made and taken, on one host and across two."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from berth.doctor import commands
from berth.doctor.model import Finding, NotApplicableError, failure, ok

if TYPE_CHECKING:
    import pwd

    from berth.doctor.site import Site

_STATUS: Final = re.compile(r"^STATUS:\s+(?P<words>.*?) \((?P<number>\d+)\)", re.MULTILINE)
_SERVICE: Final = "look at journalctl -u munge, then systemctl restart munge"
_CLOCK: Final = "set both hosts' clocks by the same time service"
_KEY: Final = "copy /etc/munge/munge.key from the controller, then systemctl restart munge"
# How unmunge ends when the other host, not this one, is to blame.
_FIXES: Final = {"Expired credential": _CLOCK, "Rewound credential": _CLOCK, "Invalid credential": _KEY}


def credential(user: pwd.struct_passwd | None = None) -> str:
    """Make a credential that only root can take, as root or as *user*; raises NotRunError."""
    answer = commands.run(["munge", "--no-input", "--restrict-uid=0"], user=user)
    if answer.status != 0:
        raise commands.NotRunError(answer.said)
    return answer.output.strip()


def local(site: Site) -> list[Finding]:  # noqa: ARG001 - every check takes the site
    """Make a credential and take it here."""
    try:
        words = taken(credential())
    except commands.NotRunError as error:
        return [failure(f"munge makes no credential: {error}", _SERVICE)]
    if words != "Success":
        return [failure(f"munge does not take its own credential: {words}", _SERVICE)]
    return [ok("munge makes a credential and takes it")]


def across(site: Site) -> list[Finding]:
    """Take a credential that the hub's host has just made."""
    given = site.against.get("munge")
    if not given:
        raise NotApplicableError("the hub's host made no credential, see its check munge.local")
    words = taken(str(given))
    host = site.against.get("host", "the hub's host")
    if words != "Success":
        return [failure(f"munge does not take what {host} made: {words}", _FIXES.get(words, _SERVICE))]
    return [ok(f"munge takes a credential of {host}: the same key, and clocks that agree")]


def taken(text: str) -> str:
    """Say what unmunge makes of a credential: `Success`, or its word for what is wrong."""
    answer = commands.run(["unmunge"], given=f"{text}\n")
    match = _STATUS.search(answer.output)
    return match["words"] if match else answer.said.removeprefix("unmunge: Error: ")
