"""Clocks: tokens, certificates and munge's credentials all have their times."""

from __future__ import annotations

import ssl
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from berth.doctor import commands, web
from berth.doctor.model import Finding, NotApplicableError, failure, ok, warning

if TYPE_CHECKING:
    from berth.doctor.site import Site

WARN_SECONDS: Final = 3.0
FAIL_SECONDS: Final = 60.0
"""Munge forgives five minutes at most, in either direction; a minute leaves time to act."""
_FIX: Final = "have one time service (chrony) keep the clocks of all hosts"


def host(site: Site) -> list[Finding]:  # noqa: ARG001 - every check takes the site
    """Ask systemd whether a time service keeps this host's clock."""
    if commands.run(["systemd-detect-virt", "--container"]).status == 0:
        raise NotApplicableError("a container has its machine's clock, which is not looked at from here")
    answer = commands.run(["timedatectl", "show", "--property=NTPSynchronized", "--value"])
    return synchronized(answer.output.strip())


def synchronized(word: str) -> list[Finding]:
    """Judge the answer of timedatectl."""
    if word != "yes":
        return [warning("no time service keeps this host's clock", _FIX)]
    return [ok("a time service keeps this host's clock")]


def against_hub(site: Site) -> list[Finding]:
    """Compare this node's clock with the time that the hub's host writes into an answer."""
    base = str(site.against.get("session_hub_url", ""))
    if not base:
        raise NotApplicableError("the hub's address is not known")
    # Only the time is wanted: a certificate that is not valid by a wrong clock must not hide it.
    context = ssl._create_unverified_context()  # noqa: S323, SLF001
    before = time.time()
    try:
        date = web.get(f"{base}/hub/api/", context).date
    except (web.WebError, ssl.SSLError) as error:
        raise NotApplicableError(
            f"the hub cannot be asked for its time, see the check node.hub: {error}"
        ) from error
    after = time.time()
    if not date:
        raise NotApplicableError("the hub's answer has no date")
    return judged_offset(offset(parsedate_to_datetime(date).timestamp(), before, after))


def offset(theirs: float, before: float, after: float) -> float:
    """Return how many seconds this clock is ahead of theirs (negative: behind), as far as that is certain.

    Their time is in whole seconds and was taken between the question and the answer.
    """
    if before > theirs + 1:
        return before - theirs - 1
    if after < theirs:
        return after - theirs
    return 0.0


def judged_offset(ahead: float) -> list[Finding]:
    """Judge by how many seconds this node's clock is ahead."""
    if abs(ahead) <= WARN_SECONDS:
        return [ok("this node's clock agrees with that of the hub's host")]
    side = "ahead of" if ahead > 0 else "behind"
    text = f"this node's clock is {abs(ahead):.0f} seconds {side} the hub's host"
    return [warning(text, _FIX) if abs(ahead) <= FAIL_SECONDS else failure(text, _FIX)]
