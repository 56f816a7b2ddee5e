"""The guide as HTML: what is inside of either frame, and the whole of the file."""

from __future__ import annotations

from functools import cache
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

_templates: Final = assets.engine()


def pictures() -> list[str]:
    """Return the paths of all pictures below `static/`."""
    return sorted(f"{PICTURES}/{item.name}" for item in (assets.DIRECTORY / PICTURES).iterdir())


@cache
def size(path: str) -> tuple[int, int]:
    """Return width and height of a picture below `static/`, in pixels, from the head of its WebP file.

    https://developers.google.com/speed/webp/docs/riff_container, "Extended File Format"; browsers write it.
    """
    head = (assets.DIRECTORY / path).read_bytes()[:30]
    if head[8:16] != b"WEBPVP8X":
        raise ValueError(f"{path} is no WebP file of the extended format")
    return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1


def inside(facts: Facts, url: Callable[[str], str]) -> str:
    """Return the guide without a frame. `url` makes an address of a picture's path below `static/`."""

    def picture(name: str) -> tuple[str, int, int]:
        path = f"{PICTURES}/{name}.webp"
        return url(path), *size(path)

    template = _templates.get_template("guide_inside.html")
    return template.render(facts=facts, labels=labels.LABELS, picture=picture)


def file(facts: Facts) -> str:
    """Return the guide as a page of its own, with styles and pictures beside it."""
    template = _templates.get_template("guide_file.html")
    return template.render(inside=inside(facts, lambda path: path), styles=STATIC)
