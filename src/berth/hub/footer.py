"""The links at the foot of every page; the one for help says which session it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from berth.hub.session.tellingspawner import TellingSpawner
from berth.hub.texts.text import Text, say

if TYPE_CHECKING:
    from jupyterhub.user import User

    from berth.hub.settings import Links

HELP_ID: Final = "berth-help"
"""Of the link for help: what it is about changes while a page is open."""


@dataclass(frozen=True)
class FooterLink:
    """One link."""

    title: Text | str
    url: str
    id: str = ""
    """In the page, for the scripts that keep the link up to date; empty: nothing about it changes."""


def links(site: Links, user: User | None) -> list[FooterLink]:
    """Return the site's links for a page that `user` sees (None: nobody is logged in)."""
    spawner = user.spawner if user is not None else None
    about = spawner.help_about if isinstance(spawner, TellingSpawner) else ()
    found = [
        FooterLink(say("form.help"), site.help_url(*about), HELP_ID),
        FooterLink(say("form.terms"), site.terms),
    ]
    return [link for link in found if link.url] + [FooterLink(link.title, link.url) for link in site.more]
