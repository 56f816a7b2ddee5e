"""Lines of Slurm's configuration files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from berth.slurm.errors import SlurmValueError

_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# Slurm ends a line at "#" even inside quotes, and has no way to write a quote; a backslash continues a line.
_FORBIDDEN = frozenset('"#\\')
_NEEDS_QUOTES = re.compile(r"[\s=]")


def line(mapping: Mapping[str, object]) -> str:
    """Write a mapping as ``Key=Value Key=Value``, in its order.

    ``None`` is left out, booleans become ``YES`` and ``NO``, lists are joined by commas, and text
    with blanks is quoted.

    Raises:
        SlurmValueError: a key or a value cannot stand in ``slurm.conf``.
    """
    if not isinstance(mapping, Mapping):
        raise SlurmValueError(f"expected a mapping of parameters, got {mapping!r}")
    return " ".join(
        f"{_key(key)}={_written(key, value)}" for key, value in mapping.items() if value is not None
    )


def _key(key: object) -> str:
    if not isinstance(key, str) or _KEY.fullmatch(key) is None:
        raise SlurmValueError(f"{key!r} is not the name of a Slurm parameter")
    return str(key)


def _written(key: object, value: object) -> str:
    """Write one value, quoted where Slurm would otherwise end it too early."""
    text = _text(key, value)
    if not text or not text.isprintable() or _FORBIDDEN & set(text):
        raise SlurmValueError(f"{key}: {text!r} is empty or has a character that Slurm cannot read back")
    return f'"{text}"' if _NEEDS_QUOTES.search(text) else text


def _text(key: object, value: object) -> str:
    if isinstance(value, bool):
        return "YES" if value else "NO"
    if isinstance(value, int | str):
        return str(value)
    if isinstance(value, Iterable) and not isinstance(value, Mapping | bytes):
        return ",".join(_text(key, item) for item in value)
    raise SlurmValueError(f"{key}: expected text, a whole number, a boolean or a list, got {value!r}")
