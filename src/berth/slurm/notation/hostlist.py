"""Slurm's hostlist notation: ``gpu[01-04,07]`` for ``gpu01``, ``gpu02`` and so on."""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Iterable, Iterator, Mapping

from berth.slurm.errors import SlurmValueError
from berth.slurm.notation.units import text_of

# As many as Slurm itself accepts in one range (MAX_RANGE in its hostlist.h).
MAX_NAMES = 65536
# Slurm keeps the number at the end of a name in 64 bits, of which the highest value means that there is none.
MAX_NUMBER = 2**64 - 2

# Shorter names cannot hold a larger number.
_LONG = len(str(MAX_NUMBER))
_NAME = re.compile(r"[A-Za-z0-9._-]{1,255}")
_TRAILING_NUMBER = re.compile(r"(?P<stem>.*?)(?P<number>[0-9]*)")
_RANGE = re.compile(r"(?P<first>[0-9]{1,255})(?:-(?P<last>[0-9]{1,255}))?")
_PIECE = re.compile(r"\[(?P<ranges>[0-9,-]*)\]|(?P<text>[A-Za-z0-9._-]+)")
_ITEM = re.compile(r"((?:[^,\[\]]+|\[[^\[\]]*\])+)(,(?!\Z)|\Z)")


def fold(names: Iterable[str]) -> str:
    """Write names as one hostlist expression, sorted and without repetitions.

    Numbers are folded where the name ends with them. Widths are never mixed in a range:
    ``n09, n10, n011`` is ``n[011,09-10]``.

    Raises:
        SlurmValueError: a name is not text, holds a character that no host name has, or ends with a number
            that Slurm would change.
    """
    if isinstance(names, str | Mapping) or not isinstance(names, Iterable):
        raise SlurmValueError(f"expected a list of names, got {names!r}")
    stems: dict[str, list[str]] = {}
    for name in sorted({_checked(name) for name in names}):
        match = _TRAILING_NUMBER.fullmatch(name)
        if match is not None:  # always: both parts may be empty
            stems.setdefault(match["stem"], []).append(match["number"])
    return ",".join(part for stem in sorted(stems) for part in _folded(stem, stems[stem]))


def expand(text: str) -> list[str]:
    """List the names of a hostlist expression, in its order and without repetitions.

    Several brackets in a name multiply (``r[1-2]n[1-4]``). Mistakes that Slurm passes over are refused: empty
    items (``a,,b``), a bracket that was never opened, and ranges without an end (``n[1-]``).

    Raises:
        SlurmValueError: the expression is malformed, stands for over 65536 names, or for a name with a
            number that Slurm would change.
    """
    text = text_of(text)
    if not text:
        return []
    names: dict[str, None] = {}
    position = 0
    while position < len(text):
        match = _ITEM.match(text, position)
        if match is None:
            raise SlurmValueError(_malformed(text))
        names.update(dict.fromkeys(map(_countable, _expanded(match[1]))))
        position = match.end()
        if len(names) > MAX_NAMES:
            raise SlurmValueError(_too_many(text))
    return list(names)


def _checked(name: object) -> str:
    text = text_of(name)
    if _NAME.fullmatch(text) is None:
        raise SlurmValueError(f"{text!r} is not a host name")
    return _countable(text)


def _countable(name: str) -> str:
    """Return *name*, whose number Slurm can hold; it writes another one otherwise."""
    if len(name) >= _LONG:
        digits = name[len(name.rstrip(string.digits)) :]
        if digits and int(digits) > MAX_NUMBER:
            raise SlurmValueError(f"{name!r} ends with a number that is larger than {MAX_NUMBER}")
    return name


def _folded(stem: str, numbers: list[str]) -> Iterator[str]:
    """Yield the expressions for one *stem* and the *numbers* (as text) that follow it."""
    if "" in numbers:
        yield stem
    digits = [number for number in numbers if number]
    if len(digits) == 1:
        yield stem + digits[0]
    elif digits:
        yield f"{stem}[{','.join(_ranges(digits))}]"


def _ranges(digits: list[str]) -> list[str]:
    """Write numbers as ranges: those without leading zeros first, then each width by itself."""
    padded = {len(number) for number in digits if _is_padded(number)}
    plain = sorted(int(number) for number in digits if len(number) not in padded)
    ranges = [_range(first, last, 0) for first, last in _runs(plain)]
    zeros: list[str] = []
    for width in padded:
        same = sorted(int(number) for number in digits if len(number) == width)
        zeros += [_range(first, last, width) for first, last in _runs(same)]
    return ranges + sorted(zeros)


def _is_padded(number: str) -> bool:
    return len(number) > 1 and number.startswith("0")


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """Yield (first, last) of each run of consecutive numbers in a sorted list."""
    for _, group in itertools.groupby(enumerate(numbers), key=lambda item: item[1] - item[0]):
        run = [number for _, number in group]
        yield run[0], run[-1]


def _range(first: int, last: int, width: int) -> str:
    return f"{first:0{width}}" if first == last else f"{first:0{width}}-{last:0{width}}"


def _expanded(part: str) -> list[str]:
    """Expand one item that stands between top-level commas."""
    pieces: list[list[str]] = []
    total, position = 1, 0
    for match in _PIECE.finditer(part):
        if match.start() != position:
            break
        position = match.end()
        ranges = match["ranges"]
        pieces.append([match["text"]] if ranges is None else _numbers(ranges, part))
        total *= len(pieces[-1])
        if total > MAX_NAMES:
            raise SlurmValueError(_too_many(part))
    if not pieces or position != len(part):
        raise SlurmValueError(_malformed(part))
    return ["".join(words) for words in itertools.product(*pieces)]


def _numbers(ranges: str, part: str) -> list[str]:
    """Expand what stands between brackets, keeping leading zeros."""
    numbers: list[str] = []
    for item in ranges.split(","):
        match = _RANGE.fullmatch(item)
        if match is None:
            raise SlurmValueError(f"{item!r} in {part!r} is neither a number nor a range of numbers")
        first, last = match["first"], match["last"] or match["first"]
        if int(last) < int(first):
            raise SlurmValueError(f"the range {item!r} in {part!r} runs backwards")
        if int(last) - int(first) + len(numbers) >= MAX_NAMES:
            raise SlurmValueError(_too_many(part))
        numbers += [f"{number:0{len(first)}}" for number in range(int(first), int(last) + 1)]
    return numbers


def _malformed(text: str) -> str:
    return f"{text[:80]!r} is not a hostlist; write names such as gpu[01-04,07]"


def _too_many(text: str) -> str:
    return f"{text[:80]!r} stands for more than {MAX_NAMES} names"
