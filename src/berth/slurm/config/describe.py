"""Checked access to plain descriptions (nodes, partitions) that people write in an inventory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from berth.slurm.errors import SlurmValueError
from berth.slurm.notation.units import text_of

T = TypeVar("T")


class Item:
    """One description; every error names it and the key that is wrong. ``None`` counts as not given."""

    def __init__(self, where: str, values: Mapping[str, object], at: tuple[str | int, ...] = ()) -> None:
        """Wrap *values*; *where* is the beginning of its errors (``node gpu1``), *at* leads to it."""
        self.where = where
        self.at = at
        self._values = values

    def error(self, key: str, problem: str) -> SlurmValueError:
        """Return (not raise) the error for one key."""
        return SlurmValueError(f"{self.where}: {key}: {problem}", (*self.at, key))

    def has(self, key: str) -> bool:
        """Tell whether the key is given."""
        return self._values.get(key) is not None

    def _given(self, key: str) -> object:
        value = self._values.get(key)
        if value is None:
            raise self.error(key, "is missing")
        return value

    def checking(self, key: str, read: Callable[[str], T], text: str) -> T:
        """Return ``read(text)``; its error becomes one about *key*."""
        try:
            return read(text)
        except SlurmValueError as error:
            raise self.error(key, str(error)) from error

    def checked(self, key: str, read: Callable[[str], T]) -> T:
        """Return the key's text as *read* understands it."""
        return self.checking(key, read, self.text(key))

    def text(self, key: str) -> str:
        """Return a text that is not empty."""
        try:
            text = text_of(self._given(key))
        except SlurmValueError as error:
            if not self.has(key):
                raise
            raise self.error(key, str(error)) from error
        if not text:
            raise self.error(key, "is empty")
        return text

    def optional_text(self, key: str) -> str | None:
        """Return a text, ``None`` where it is not given."""
        return self.text(key) if self.has(key) else None

    def texts(self, key: str) -> list[str]:
        """Return a list of texts; one text alone is a list of one, nothing is an empty list."""
        value = self._values.get(key)
        if value is None:
            return []
        if isinstance(value, str):
            return [self.text(key)]
        if not isinstance(value, Iterable) or isinstance(value, Mapping | bytes):
            raise self.error(key, f"expected a list of texts, got {value!r}")
        return [self.checking(key, text_of, word) for word in value]

    def number(self, key: str) -> int:
        """Return a whole number above zero."""
        value = self._given(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self.error(key, f"expected a whole number above zero, got {value!r}")
        return int(value)

    def flag(self, key: str) -> bool:
        """Return a boolean; one that is not given is false."""
        value = self._values.get(key)
        if value is None or isinstance(value, bool):
            return bool(value)
        raise self.error(key, f"expected true or false, got {value!r}")

    def mapping(self, key: str) -> Mapping[str, object]:
        """Return a mapping; one that is not given is empty."""
        value = self._values.get(key)
        if value is None:
            return {}
        return _mapping(value, f"{self.where}: {key}", (*self.at, key))

    def items(self, key: str, keys: frozenset[str]) -> list[Item]:
        """Return a list of descriptions below this one; one that is not given is empty."""
        value = self._values.get(key)
        return [] if value is None else items(value, f"{self.where}: {key}", keys, (*self.at, key))


def items(
    descriptions: object, what: str, keys: frozenset[str], at: tuple[str | int, ...] = ()
) -> list[Item]:
    """Wrap a list of mappings that may hold nothing but *keys*; *at* leads to the list.

    Raises:
        SlurmValueError: it is not a list, an entry is not a mapping, or a key is unknown.
    """
    if not isinstance(descriptions, Iterable) or isinstance(descriptions, str | bytes | Mapping):
        raise SlurmValueError(f"{what}: expected a list of descriptions, got {descriptions!r}", at)
    found: list[Item] = []
    for number, description in enumerate(descriptions, start=1):
        place = (*at, number - 1)
        values = _mapping(description, f"{what} {number}", place)
        item = Item(f"{what} {values.get('name', number)}", values, place)
        unknown = sorted(set(values) - keys)
        if unknown:
            raise SlurmValueError(
                f"{item.where}: unknown key {', '.join(unknown)}; known: {', '.join(sorted(keys))}",
                (*place, unknown[0]),
            )
        found.append(item)
    return found


def _mapping(value: object, where: str, at: tuple[str | int, ...]) -> Mapping[str, object]:
    """Return *value* as a mapping whose keys are plain text."""
    if not isinstance(value, Mapping):
        raise SlurmValueError(f"{where}: expected a mapping, got {value!r}", at)
    mapping: dict[str, object] = {}
    for key, entry in value.items():
        if not isinstance(key, str):
            raise SlurmValueError(f"{where}: the key {key!r} is not text", at)
        mapping[str(key)] = entry
    return mapping
