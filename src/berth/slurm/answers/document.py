"""Reading of the documents that Slurm's commands print, the JSON of 22.05 as well as that of 24.11.

A number is an :class:`int` in 22.05 and ``{"set", "infinite", "number"}`` in 24.11; a state is a word in
22.05 and a list of words in 24.11. What is absent or not set becomes ``None`` or empty; what cannot be
understood is a :class:`~berth.slurm.errors.SlurmValueError` that names the field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from berth.slurm.errors import SlurmValueError
from berth.slurm.notation import hostlist

Record: TypeAlias = Mapping[str, object]

ONELINE = "oneline"
"""Key under which :func:`berth.slurm.answers.client.decode` puts the records of a text answer."""

# The highest 32-bit numbers, by which Slurm says "no value" and "infinite".
_NOT_SET = frozenset({0xFFFFFFFE, 0xFFFFFFFF})
_NO_NODES = frozenset({"", "(null)", "None assigned"})


def records(document: object, key: str) -> Iterator[Record]:
    """Yield the records that *document* lists under *key*.

    Raises:
        SlurmValueError: there is no such list, or an entry of it is not a record.
    """
    found = document.get(key) if isinstance(document, Mapping) else None
    if not isinstance(found, list):
        raise SlurmValueError(f"Slurm's answer has no list {key!r}")
    for number, record in enumerate(found):
        if not isinstance(record, Mapping):
            raise SlurmValueError(f"{key}[{number}] in Slurm's answer is not a record")
        yield record


def section(record: Record, key: str) -> Record:
    """Return a record inside a record, empty where it is absent."""
    value = record.get(key)
    return value if isinstance(value, Mapping) else {}


def number(record: Record, key: str) -> int | None:
    """Return a whole number; ``None`` where it is absent, not set or infinite."""
    value = record.get(key)
    if isinstance(value, Mapping):
        value = value.get("number") if value.get("set") is True and not value.get("infinite") else None
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise SlurmValueError(f"{key}: expected a number in Slurm's answer, got {value!r}")
    return None if value in _NOT_SET else value


def moment(record: Record, key: str) -> int | None:
    """Return a Unix time; ``None`` where Slurm gives none (it writes 0)."""
    return number(record, key) or None


def text(record: Record, key: str) -> str:
    """Return a text, empty where it is absent."""
    value = record.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise SlurmValueError(f"{key}: expected text in Slurm's answer, got {value!r}")
    return "" if value == "(null)" else value


def name(record: Record, key: str) -> str:
    """Return a text that a record cannot be without."""
    found = text(record, key)
    if not found:
        raise SlurmValueError(f"{key}: is missing in Slurm's answer")
    return found


def words(record: Record, key: str) -> tuple[str, ...]:
    """Return words that stand in a list or, separated by commas, in a text."""
    value = record.get(key)
    if isinstance(value, list):
        if not all(isinstance(word, str) for word in value):
            raise SlurmValueError(f"{key}: expected a list of words in Slurm's answer, got {value!r}")
        return tuple(value)
    return tuple(word for word in text(record, key).split(",") if word)


def hosts(record: Record, key: str) -> tuple[str, ...]:
    """Return the names that a hostlist stands for; none where nothing is assigned."""
    value = text(record, key)
    return () if value in _NO_NODES else tuple(hostlist.expand(value))
