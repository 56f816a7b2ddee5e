"""Slurm's trackable resources as text: ``cpu=1,mem=300M,node=1,gres/gpu=2,gres/gpu:a100=2``."""

from __future__ import annotations

import re
from fractions import Fraction

from berth.slurm.notation.units import text_of

_MEMORY = re.compile(r"mem=(?P<number>[0-9]{1,15}(?:\.[0-9]{1,6})?)(?P<unit>[KMGTP]?)")
_GPU = re.compile(r"gres/gpu(?::(?P<type>[A-Za-z0-9._+-]+))?[=:](?P<count>[0-9]{1,15})")
_KIBIBYTES = {"K": 1, "": 1024, "M": 1024, "G": 1024**2, "T": 1024**3, "P": 1024**4}


def memory(text: str) -> int:
    """Return the MiB in a TRES list (rounded up), 0 where it names none.

    Everything that is not memory is passed over, so that any text is accepted.
    """
    for item in text_of(text).split(","):
        match = _MEMORY.fullmatch(item)
        if match is not None:
            return -(-Fraction(match["number"]) * _KIBIBYTES[match["unit"]] // 1024)
    return 0


def gpus(text: str) -> dict[str, int]:
    """Return the GPUs by type in a TRES list; ``""`` stands for no type.

    Slurm names a total beside the types; what the types do not explain has no type. Everything that is
    not a GPU is passed over, so that any text is accepted.
    """
    counts: dict[str, int] = {}
    for item in text_of(text).split(","):
        match = _GPU.fullmatch(item)
        if match is not None:
            counts[match["type"] or ""] = int(match["count"])
    return split_total(counts)


def split_total(counts: dict[str, int]) -> dict[str, int]:
    """Return the counts of each type, where ``""`` came as the total and leaves as the rest."""
    types = {kind: count for kind, count in counts.items() if kind and count}
    rest = counts.get("", 0) - sum(types.values())
    return types | ({"": rest} if rest > 0 else {})
