"""The guide as HTML: what is inside of either frame, and the whole of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from berth.hub import assets
from berth.hub.texts import labels

if TYPE_CHECKING:
    from berth.hub.guide.facts import Facts

STATIC: Final = ("catalogue.css", "guide.css")
"""What the file needs beside it."""

_templates: Final = assets.engine()


def inside(facts: Facts) -> str:
    """Return the guide without a frame."""
    return _templates.get_template("guide_inside.html").render(facts=facts, labels=labels.LABELS)


def file(facts: Facts) -> str:
    """Return the guide as a page of its own, with its style beside it."""
    return _templates.get_template("guide_file.html").render(inside=inside(facts), styles=STATIC)
