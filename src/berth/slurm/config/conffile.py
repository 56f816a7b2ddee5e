"""Reading Slurm's configuration files as Slurm does, with the place of every statement.

Written after Slurm's ``parse_config.c``: keys in any case, comments, lines that a backslash continues,
quotes, ``Include`` with a path that is absolute or relative to the directory of the main file.
"""

from __future__ import annotations

import base64
import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


_DEEPEST = 32
_COMMENT = re.compile(r"(?<!\\)(?P<escapes>(?:\\\\)*)#.*", re.DOTALL)
_CONTINUED = re.compile(r"(?<!\\)(?P<escapes>(?:\\\\)*)\\\s*\Z")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_INCLUDE = re.compile(r"include\s+(?P<path>\S+)", re.IGNORECASE)
_PAIR = re.compile(
    r"\s*(?P<key>[A-Za-z0-9_.]+)\s*[-*+/]?=\s*(?:\"(?P<quoted>[^\"]*)\"|(?P<plain>\S+))(?=\s|\Z)",
)


@dataclass(frozen=True)
class Statement:
    """One logical line: its first key (in lower case) and value, and the pairs that follow."""

    file: str
    line: int
    key: str
    value: str
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """The place, as people look it up: ``/etc/slurm/slurm.conf:12``."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Inclusion:
    """An ``Include`` of one file in another."""

    file: str
    line: int
    path: str

    @property
    def where(self) -> str:
        """The place of the ``Include`` line."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Reading:
    """What a file says, with all that it includes, in the order in which Slurm reads it.

    *unread* are inclusions of files that were not among those given, or could not be read; *circular* those
    that never end; *own* those of the file that was to be passed over.
    """

    statements: tuple[Statement, ...]
    unread: tuple[Inclusion, ...] = ()
    circular: tuple[Inclusion, ...] = ()
    own: tuple[Inclusion, ...] = ()


def read(files: Mapping[str, str | None], main: str, own: str = "") -> Reading:
    """Read the file *main* of *files*; inclusions of the file *own* are noted, but not followed."""
    found: dict[str, list[Inclusion]] = {"unread": [], "circular": [], "own": []}
    statements: list[Statement] = []
    cluster = ""

    def follow(path: str, above: tuple[str, ...]) -> None:
        nonlocal cluster
        for item in _items(path, files.get(path) or ""):
            if isinstance(item, Statement):
                statements.append(item)
                cluster = item.value.lower() if item.key == "clustername" else cluster
                continue
            name = item.path.replace("%c", cluster)
            target = posixpath.normpath(posixpath.join(posixpath.dirname(main), name))
            inclusion = Inclusion(path, item.line, target)
            if target == own:
                found["own"].append(inclusion)
            elif target in above or len(above) > _DEEPEST:
                found["circular"].append(inclusion)
            elif files.get(target) is None:
                found["unread"].append(inclusion)
            else:
                follow(target, (*above, target))

    follow(main, (main,))
    return Reading(tuple(statements), **{name: tuple(items) for name, items in found.items()})


def texts(slurped: Iterable[Mapping[str, object]]) -> dict[str, str | None]:
    """Return the texts by path of what Ansible's `slurp` read in a loop; ``None`` for what it could not read.

    Slurm knows no encoding: a file that is no UTF-8 is taken for Latin-1, which fits every byte.
    """
    found: dict[str, str | None] = {}
    for result in slurped:
        content = result.get("content")
        raw = None if content is None else base64.b64decode(str(content))
        try:
            found[str(result["item"])] = None if raw is None else raw.decode()
        except UnicodeDecodeError:
            found[str(result["item"])] = None if raw is None else raw.decode("latin-1")
    return found


def to_read(files: Mapping[str, str | None], roots: list[str]) -> list[str]:
    """Return the paths that have to be read next: *roots* and what they include, as far as it is known.

    Files that are in *files* already, even as ``None``, are not named again.
    """
    wanted = dict.fromkeys(path for path in roots if path not in files)
    for root in roots:
        wanted |= dict.fromkeys(item.path for item in read(files, root).unread if item.path not in files)
    return list(wanted)


def _items(path: str, text: str) -> Iterator[Statement | Inclusion]:
    """Yield the statements and inclusions of one file; paths as they are written."""
    for number, line in _logical_lines(text):
        include = _INCLUDE.match(line)
        pairs = [] if include else [*_pairs(line)]
        if include is not None:
            yield Inclusion(path, number, include["path"])
        elif pairs:
            (key, value), *more = pairs
            yield Statement(path, number, key, value, dict(more))


def _pairs(line: str) -> Iterator[tuple[str, str]]:
    """Yield the pairs of a line up to the first thing that is none; a later one of a key counts."""
    position = 0
    while match := _PAIR.match(line, position):
        value = match["plain"] if match["quoted"] is None else match["quoted"]
        yield match["key"].lower(), value
        position = match.end()


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield lines with their first number: comments taken out, continued ones joined, escapes resolved."""
    started, parts = 0, ""
    for number, physical in enumerate(text.split("\n"), start=1):
        started = started or number
        bare = _COMMENT.sub(r"\g<escapes>", physical)
        joined = _CONTINUED.sub(r"\g<escapes>", bare)
        parts += joined
        if joined == bare:
            yield started, _ESCAPE.sub(r"\1", parts)
            started, parts = 0, ""
    if parts:
        yield started, _ESCAPE.sub(r"\1", parts)
