"""The links at the foot of every page; the one for help says which session it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from berth.hub.session.tellingspawner import TellingSpawner
from berth.hub.texts.text import Text, say

if TYPE_CHECKING:
    from jupyterhub.user import User

    from berth.hub.settings import Links


@dataclass(frozen=True)
class FooterLink:
    """One link."""

    title: Text | str
    url: str


def links(site: Links, user: User | None) -> list[FooterLink]:
    """Return the site's links for a page that `user` sees (None: nobody is logged in)."""
    spawner = user.spawner if user is not None else None
    found = [
        FooterLink(say("form.help"), site.help_url(*about(spawner))),
        FooterLink(say("form.terms"), site.terms),
    ]
    return [link for link in found if link.url] + [FooterLink(link.title, link.url) for link in site.more]


def about(spawner: object) -> tuple[str, str]:
    """Return job id and reason of a session in Slurm's words, for the support; empty where not known."""
    if not isinstance(spawner, TellingSpawner):
        return "", ""
    number = str(spawner.job_id or "")
    job = spawner.service.collector.snapshot.jobs.get(int(number)) if number.isdigit() else None
    if job is not None:
        return number, job.reason or job.state
    ending = spawner.ending
    return (number, "") if ending is None else (str(ending.job_id or ""), ending.word)
