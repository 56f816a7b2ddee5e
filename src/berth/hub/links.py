"""Links that the site gives as data; the one for help can say what it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from berth.hub.settings import Links


def help_link(links: Links, job_id: int | None = None, reason: str = "") -> str:
    """Return the address behind "Get help", empty where the site gives none.

    `{job_id}` and `{reason}` in it are replaced, quoted for any part of a URL; by nothing where there is
    nothing to say. `reason` is Slurm's or Berth's own word for what went wrong, never a whole sentence.
    """
    about = {"{job_id}": "" if job_id is None else str(job_id), "{reason}": reason}
    link = links.help
    for place, value in about.items():
        link = link.replace(place, quote(value, safe=""))
    return link
