"""Sizes and counts as the catalogue writes them."""

from __future__ import annotations

from typing import Final

_UNITS: Final = ("KiB", "MiB", "GiB", "TiB")
_STEP: Final = 1024
_EXACT: Final = 10
"""From here on a tenth says nothing."""


def size(count: int) -> str:
    """Return a number of bytes in the largest unit that fits: `812 KiB`, `1.5 MiB`, `12 GiB`."""
    amount, unit = float(count), "B"
    for larger in _UNITS:
        if amount < _STEP:
            break
        amount, unit = amount / _STEP, larger
    return f"{amount:.1f} {unit}" if count >= _STEP and amount < _EXACT else f"{amount:.0f} {unit}"


def number(count: int) -> str:
    """Return a count with thin spaces between thousands, which every language reads."""
    return f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
