"""The guide as HTML: what is inside of either frame, and the whole of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from berth.hub import assets
from berth.hub.texts import labels

if TYPE_CHECKING:
    from collections.abc import Callable

    from berth.hub.guide.facts import Facts

STATIC: Final = ("catalogue.css", "guide.css")
"""What the file needs beside it, and the pictures."""
PICTURES: Final = "guide"
"""Their directory, in `static/` and beside the file. The lab's own tests take them: `make screenshots`."""
SIZE: Final = (1280, 860)
"""Width and height of each, in pixels."""

_templates: Final = assets.engine()


def pictures() -> list[str]:
    """Return the paths of all pictures below `static/`."""
    return sorted(f"{PICTURES}/{item.name}" for item in (assets.DIRECTORY / PICTURES).iterdir())


def inside(facts: Facts, url: Callable[[str], str]) -> str:
    """Return the guide without a frame. `url` makes an address of a picture's path below `static/`."""

    def picture(name: str) -> str:
        return url(f"{PICTURES}/{name}.webp")

    template = _templates.get_template("guide_inside.html")
    return template.render(facts=facts, labels=labels.LABELS, picture=picture, size=SIZE)


def file(facts: Facts) -> str:
    """Return the guide as a page of its own, with styles and pictures beside it."""
    template = _templates.get_template("guide_file.html")
    return template.render(inside=inside(facts, lambda path: path), styles=STATIC)
