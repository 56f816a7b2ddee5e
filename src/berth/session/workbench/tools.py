"""Tools: programs with a web page of their own, such as VS Code; each is one file in the layer's `etc/tools`.

A tool listens on a unix socket in the session's private directory, which nobody else can enter; it is started
when somebody opens it, reached through the session's own authentication, and ends with the session.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from berth.session.errors import SessionError

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOG: Final = logging.getLogger(__name__)
_KINDS: Final = {
    "title": str,
    "command": list,
    "environment": dict,
    "settings": dict,
    "defaults": dict,
    "icon": str,
    "start_seconds": int,
}


@dataclass(frozen=True)
class Tool:
    """One tool.

    `name`: the file's name without `.json`, and the first part of its address below the session's.
    `title`: what its card in the launcher says.
    `command`, `environment`: how it is started. Places in braces (`Places`) are filled in.
    `settings`: JSON files in the home, by path: keys that are set there each time that it is started.
    `defaults`: the same, where the user has no such key.
    `icon`: an SVG image as text, or empty.
    `start_seconds`: how long it may take until it answers.
    """

    name: str
    title: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    settings: Mapping[str, Mapping[str, Any]]
    defaults: Mapping[str, Mapping[str, Any]]
    icon: str
    start_seconds: int

    def write_settings(self, places: Mapping[str, str]) -> None:
        """Set settings and defaults. A file that cannot be read or written stays as it is, with a warning."""
        for path in {**self.settings, **self.defaults}:
            file = Path(fill(path, places))
            try:
                kept = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
                defaults, settings = self.defaults.get(path, {}), self.settings.get(path, {})
                wanted = {**_filled(defaults, places), **kept, **_filled(settings, places)}
                if wanted == kept:
                    continue
                file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                new = file.with_name(f".{file.name}.berth")
                new.write_text(json.dumps(wanted, indent=2), encoding="utf-8")
                new.replace(file)
            except (OSError, ValueError, TypeError) as error:
                _LOG.warning("the settings of %s cannot be written: %s", self.title, error)


def load(directory: Path) -> tuple[Tool, ...]:
    """Read the tools of a layer, in the order of their files' names; one that is wrong is told in the log."""
    found = []
    for path in sorted(directory.glob("*.json")):
        try:
            found.append(_read(path))
        except SessionError as error:
            _LOG.error("a tool is missing: %s", error)
    return tuple(found)


def fill(text: str, places: Mapping[str, str]) -> str:
    """Put the value of each `{place}` into a text; other braces stay."""
    for name, value in places.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _filled(values: Mapping[str, Any], places: Mapping[str, str]) -> dict[str, Any]:
    return {key: fill(value, places) if isinstance(value, str) else value for key, value in values.items()}


def _read(path: Path) -> Tool:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SessionError(f"cannot read the tool {path}: {error}") from error
    if not isinstance(document, dict) or document.keys() != _KINDS.keys():
        raise SessionError(f"{path} must be a mapping with exactly {', '.join(_KINDS)}")
    for name, kind in _KINDS.items():
        if type(document[name]) is not kind:
            raise SessionError(f"{path}: {name} must be a {kind.__name__}")
    return Tool(name=path.stem, **{**document, "command": tuple(document["command"])})
