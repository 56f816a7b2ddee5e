"""The pages of the catalogue, for the hub and as files: the same HTML inside another frame.

Everything here takes what it shows and returns text; it may run in any thread. Texts are in the language
of the context that it runs in.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import quote

from berth.hub import assets
from berth.hub.releases import amounts, view
from berth.hub.texts.text import say

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from berth.releases.catalogue import Contents, Release

_templates: Final = assets.engine()
_templates.filters["size"] = amounts.size
_templates.filters["number"] = amounts.number


class Links(Protocol):
    """Where the pages are, as seen from one of them."""

    @property
    def home(self) -> str:
        """The list of releases."""

    def release(self, name: str) -> str:
        """Return the address of one release's page."""

    def compare(self, new: str, old: str) -> str:
        """Return the address of what changed from one to another."""


@dataclass(frozen=True)
class HubLinks:
    """The pages at the hub."""

    home: str

    def release(self, name: str) -> str:
        """Return the path of one release's page."""
        return f"{self.home}/{quote(name, safe='')}"

    def compare(self, new: str, old: str) -> str:
        """Return the path of what changed from one to another."""
        return f"{self.release(new)}/compare/{quote(old, safe='')}"


@dataclass(frozen=True)
class Reader:
    """For whom a page is made, and when."""

    links: Links
    today: dt.date
    releases: tuple[Release, ...]
    """Those that may be shown, newest first."""


def index(reader: Reader) -> str:
    """Return the list of releases."""
    items = list(zip_longest(reader.releases, reader.releases[1:]))  # each with the one before it
    return _render("releases_index.html", reader, items=items)


def release(reader: Reader, shown: Release, contents: Contents | None) -> str:
    """Return the page of one release; `contents` is None where the full list cannot be read."""
    return _render(
        "releases_one.html",
        reader,
        release=shown,
        sections=view.sections(shown, contents),
        full=contents is not None,
        others=[_ordered(reader.releases, shown, other) for other in reader.releases if other != shown],
    )


def compare(
    reader: Reader, new: tuple[Release, Contents | None], old: tuple[Release, Contents | None]
) -> str:
    """Return what changed from one release to another, each with its full list (None: it cannot be read)."""
    full = new[1] is not None and old[1] is not None
    return _render(
        "releases_compare.html",
        reader,
        new=new[0],
        old=old[0],
        full=full,
        unread=[item.name for item, contents in (old, new) if contents is None],
        comparisons=view.compare(view.sections(*new), view.sections(*old), full=full),
    )


def title(*names: str) -> str:
    """Return what the window is called: for the list, for one release, or for a newer and an older one."""
    match names:
        case (name,):
            return str(say("releases.title_one", name=name))
        case (new, old):
            return str(say("releases.title_compare", new=new, old=old))
        case _:
            return str(say("releases.title"))


def _ordered(releases: Sequence[Release], one: Release, other: Release) -> tuple[Release, Release]:
    """Return the newer one first."""
    return (one, other) if releases.index(one) < releases.index(other) else (other, one)


def render(template: str, **values: Any) -> str:  # noqa: ANN401 - what the template shows
    """Return a template with its values."""
    return _templates.get_template(template).render(**values)


def _render(template: str, reader: Reader, **values: Any) -> str:  # noqa: ANN401 - what the template shows
    return render(
        template, links=reader.links, standing=lambda item: view.standing(item, reader.today), **values
    )
