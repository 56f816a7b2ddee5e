"""One line for each event, made of fields, for the journal of hub and helper and for the logs of sessions.

`event` logs one with any logger. `Formatter` writes all records alike, JupyterHub's and tornado's too: as
`key=value` words or as a JSON object. Whoever logs an event decides what is no secret.
"""

from __future__ import annotations

import json
import logging
import os
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

TEXT: Final = "text"
JSON: Final = "json"
FORMATS: Final = (TEXT, JSON)
"""How lines can be written."""

_TELLING: Final = ("Failed login", "Setting new xsrf cookie")
"""How JupyterHub begins lines with what was typed as a name, which may be a password, and with cookies."""
_BARE: Final = re.compile(r"""[^\s"'=\\]+""")
"""Values that need no quotes."""
_PRIORITIES: Final = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
"""Levels of Python, and the priorities of syslog(3) that stand for them."""
_DEBUG: Final = 7


class Event:
    """What happened, as a message for `logging`; as a text it is its fields."""

    def __init__(self, name: str, fields: Mapping[str, Any]) -> None:
        """Keep the fields that have a value: a job that is not known has no number."""
        self.fields = {"event": name} | {key: value for key, value in fields.items() if value is not None}

    def __str__(self) -> str:
        """Return the line as text."""
        return text(self.fields)


def event(logger: logging.Logger | logging.LoggerAdapter[Any], name: str, /, **fields: Any) -> None:  # noqa: ANN401
    """Log that something happened that is no fault."""
    logger.info(Event(name, fields))


def text(fields: Mapping[str, Any]) -> str:
    """Return fields as `key=value` words; values that are more than one word stand in quotes, as in JSON."""
    return " ".join(f"{key}={_word(value)}" for key, value in fields.items())


def _word(value: object) -> str:
    plain = str(value).lower() if isinstance(value, bool) else str(value)
    if isinstance(value, float):
        plain = f"{value:.3f}"
    if plain.isprintable() and _BARE.fullmatch(plain):
        return plain
    return _visible(json.dumps(plain, ensure_ascii=False))


def _object(fields: Mapping[str, Any]) -> str:
    return _visible(json.dumps(fields, ensure_ascii=False, default=str))


def _visible(line: str) -> str:
    """Return a JSON text in which nothing is invisible: no second line, no direction of writing."""
    return "".join(item if item.isprintable() else json.dumps(item)[1:-1] for item in line)


class Formatter(logging.Formatter):
    """Writes each record as one line, a traceback included; in the journal with its priority."""

    def __init__(self, style: str = TEXT) -> None:
        """Choose one of `FORMATS`."""
        super().__init__()
        self._json = style == JSON
        self._journal = "JOURNAL_STREAM" in os.environ  # systemd sets it; the journal knows the time itself

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        said = record.msg.fields if isinstance(record.msg, Event) else {"msg": record.getMessage()}
        fields = {"level": record.levelname.lower(), "logger": record.name, **said}
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        if not self._journal:
            fields = {"time": self.formatTime(record), **fields}
        line = _object(fields) if self._json else text(fields)
        return f"<{_priority(record.levelno)}>{line}" if self._journal else line


def _priority(level: int) -> int:
    return next((priority for least, priority in _PRIORITIES if level >= least), _DEBUG)


def without_secrets(record: logging.LogRecord) -> bool:
    """Tell whether a record of JupyterHub's may be written: for filters of handlers and loggers."""
    return not str(record.msg).startswith(_TELLING)


def configure(name: str, style: str) -> logging.Logger:
    """Have a logger and those below it write to standard error; return it. For programs of their own."""
    handler = logging.StreamHandler()
    handler.setFormatter(Formatter(style))
    logger = logging.getLogger(name)
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return logger
