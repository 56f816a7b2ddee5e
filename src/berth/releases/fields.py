"""Checks of decoded documents (index, contents, specs, locks): the place, and what was expected there.

Standard library only: the hub and the sessions read the index with it.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

T = TypeVar("T")

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
"""Names of releases, environments, layers, kernels and channels: each is a file's name somewhere."""

# What stands before the host, and the token that conda knows in a path; files of this machine have neither.
_SECRET: Final = re.compile(
    r"(?<![a-z0-9+])(?!file:)[a-z0-9+]+://(?:[^/\s]*@|\S*?/t/[^/\s]+/)", re.IGNORECASE
)


class FieldError(Exception):
    """A document does not say what it must; the text names the place."""


def mapping(
    value: object, where: str, keys: Iterable[str], optional: Iterable[str] = ()
) -> dict[str, object]:
    """Give a mapping that has all `keys`, and no others but the `optional` ones."""
    if not isinstance(value, dict):
        raise FieldError(f"{where} must be a mapping, found {type(value).__name__}")
    if missing := sorted(set(keys) - value.keys()):
        raise FieldError(f"{where} lacks {', '.join(missing)}")
    if unknown := sorted(str(key) for key in value.keys() - {*keys, *optional}):
        raise FieldError(f"{where} has unknown keys: {', '.join(unknown)}")
    return value


@dataclass(frozen=True)
class Entry:
    """A mapping at its place in a document: what is wrong with a value is told with that value's place."""

    values: Mapping[str, object]
    where: str

    def read(self, key: str, check: Callable[[object, str], T]) -> T:
        """Give the value of a key as a check of this module gives it."""
        return check(self.values[key], f"{self.where}.{key}")

    def maybe(self, key: str, check: Callable[[object, str], T]) -> T | None:
        """Give the same, or None for null."""
        return None if self.values[key] is None else self.read(key, check)


def entry(value: object, where: str, keys: Iterable[str]) -> Entry:
    """Give a mapping that has all `keys`, and no others, to be read key by key."""
    return Entry(mapping(value, where, keys), where)


def items(value: object, where: str) -> list[tuple[object, str]]:
    """Give the entries of a list, each with its place."""
    if not isinstance(value, list):
        raise FieldError(f"{where} must be a list, found {type(value).__name__}")
    return [(entry, f"{where}[{number}]") for number, entry in enumerate(value)]


def text(value: object, where: str) -> str:
    """Give text of one line that is not empty."""
    if not isinstance(value, str) or not value or not value.isprintable():
        raise FieldError(f"{where} must be non-empty text on one line, found {value!r}")
    return value


def maybe_empty(value: object, where: str) -> str:
    """Give text of one line, which may be empty."""
    return "" if value == "" else text(value, where)


def texts(value: object, where: str) -> tuple[str, ...]:
    """Give a list of such texts."""
    return tuple(text(entry, place) for entry, place in items(value, where))


def texts_by_name(value: object, where: str) -> dict[str, str]:
    """Give a mapping of names to such texts, as of packages to their versions."""
    if not isinstance(value, dict):
        raise FieldError(f"{where} must be a mapping of names to versions, found {type(value).__name__}")
    return {name: text(version, f"{where}.{name}") for name, version in value.items()}


def public(value: str, where: str) -> str:
    """Give text that holds no address with a password or token: such text stands where everybody reads it."""
    if _SECRET.search(value):
        raise FieldError(
            f"{where} holds a password or token, which everybody could read: name it in the file of "
            "RATTLER_AUTH_FILE or NETRC instead (docs/operate/releases.md)"
        )
    return value


def name(value: object, where: str) -> str:
    """Give a name: see NAME."""
    found = text(value, where)
    if not NAME.fullmatch(found):
        raise FieldError(f"{where} must be letters, digits and . _ + - (64 at most), found {found!r}")
    return found


def names(value: object, where: str) -> tuple[str, ...]:
    """Give a list of names, each of which stands there once."""
    return distinct([name(entry, place) for entry, place in items(value, where)], where)


def distinct(values: Iterable[str], where: str) -> tuple[str, ...]:
    """Give the values, each of which must stand there once."""
    found = tuple(values)
    if twice := sorted({entry for entry in found if found.count(entry) > 1}):
        raise FieldError(f"{where} names {', '.join(twice)} more than once")
    return found


def absolute(value: object, where: str) -> str:
    """Give an absolute path that does not climb."""
    found = text(value, where)
    path = PurePosixPath(found)
    if not path.is_absolute() or ".." in path.parts:
        raise FieldError(f"{where} must be an absolute path without '..', found {found!r}")
    return found


def date(value: object, where: str) -> dt.date:
    """Give a date written as 2026-11-16."""
    found = text(value, where)
    try:
        return dt.date.fromisoformat(found)
    except ValueError as error:
        raise FieldError(f"{where} must be a date such as 2026-11-16, found {found!r}") from error


def count(value: object, where: str) -> int:
    """Give a whole number that is not negative."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise FieldError(f"{where} must be a whole number, found {value!r}")
    return value


def truth(value: object, where: str) -> bool:
    """Give true or false."""
    if not isinstance(value, bool):
        raise FieldError(f"{where} must be true or false, found {value!r}")
    return value
