"""What templates have at hand: our texts, the languages, and our scripts and styles by URL."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from berth.hub.texts import text

DIRECTORY: Final = files("berth.hub") / "static"


@cache
def version(name: str) -> str:
    """Return a digest of a file in `static/`: its URL changes with its content, so caches are never stale."""
    return hashlib.sha256((DIRECTORY / name).read_bytes()).hexdigest()[:16]


def asset(name: str) -> str:
    """Return the path of a file in `static/`, relative to the hub's base URL."""
    return f"berth/static/{name}?v={version(name)}"


TEMPLATE_VARIABLES: Final[dict[str, Any]] = {
    # JupyterHub calls what can be called with the user of the request and gives templates the result.
    "say": lambda _user: text.say,
    "language": lambda _user: text.language.get(),
    "languages": text.LANGUAGES,
    "asset": lambda _user: asset,
}
"""For every template of the hub."""


def engine() -> Environment:
    """Return the engine for what is rendered beside JupyterHub's own pages: whole, and without its loop."""
    made = Environment(
        loader=PackageLoader("berth.hub"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["say"] = text.say
    return made
