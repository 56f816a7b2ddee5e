"""Generic resources: the texts in which Slurm names GPUs, and the numbers in them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from berth.slurm.errors import SlurmValueError
from berth.slurm.notation import hostlist
from berth.slurm.notation.units import text_of

GPU = "gpu"
SHARED = frozenset({"shard", "mps"})
"""Parts of GPUs: while a job has one, nobody can have the GPU itself."""

_ABSENT = frozenset({"", "(null)", "N/A"})
_WORD = r"[A-Za-z0-9][A-Za-z0-9._+-]*"
# Shards or MPS of one GPU, taken/there; Slurm writes a dash for those of a GPU that is given away whole.
_SHARE = r"(?:[0-9]{1,15}|-)/[0-9]{1,15}"
_ITEM = re.compile(
    rf"(?:gres[:/])?(?P<name>{_WORD})"
    rf"(?::(?P<type>\(null\)|(?![0-9]+[KMGTP]?(?:[=(,]|:no_consume|$)){_WORD}))?"
    r"(?P<flag>:no_consume)?"
    r"(?:[:=](?P<count>[0-9]{1,15})(?P<unit>[KMGTP]?))?"
    rf"(?P<notes>(?:\((?:[A-Za-z]+:[^()]{{0,4000}}|{_SHARE}(?:,{_SHARE}){{0,1023}})\))*)"
    r"(?:,(?!$)|$)",
    re.IGNORECASE,
)
_INDICES = re.compile(r"\(IDX:(?P<indices>[0-9,-]+)\)", re.IGNORECASE)
# A job's devices that Slurm only counts, because they have no files.
_COUNTED = re.compile(r"\(CNT:(?P<count>[0-9]{1,15})\)", re.IGNORECASE)
_SHARES = re.compile(rf"\((?P<shares>{_SHARE}(?:,{_SHARE})*)\)")
_POWER = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5}


@dataclass(frozen=True)
class Gres:
    """Some generic resource: *count* of *name*, of one *type* if that is told.

    *indices* are the numbers of the devices on their node where Slurm says which they are; *busy* is the
    number of GPUs of which a part is taken, where Slurm tells that of shards or MPS.
    """

    name: str
    type: str | None
    count: int
    indices: tuple[int, ...] | None = None
    busy: int | None = None


def parse(text: str) -> tuple[Gres, ...]:
    """Read a list such as ``gpu:a100:2(S:0-1)``, ``gpu:2(IDX:0-1)`` or ``gres/gpu:a100=1``.

    A resource without a number counts once. ``(null)``, ``N/A`` and the empty text are no
    resource at all.

    Raises:
        SlurmValueError: the text is not in that notation.
    """
    text = text_of(text)
    found: list[Gres] = []
    position = 0 if text not in _ABSENT else len(text)
    while position < len(text):
        match = _ITEM.match(text, position)
        if match is None:
            raise SlurmValueError(f"{text[:80]!r} is not a list of generic resources such as gpu:a100:2")
        found.append(_gres(match))
        position = match.end()
    return tuple(found)


def gpu_counts(text: str) -> dict[str, int]:
    """Count the GPUs in a list of generic resources by type; ``""`` stands for no type.

    Types of which there are none are left out.

    Raises:
        SlurmValueError: the text is not a list of generic resources.
    """
    counts: dict[str, int] = {}
    for gres in parse(text):
        if gres.name == GPU and gres.count:
            kind = gres.type or ""
            counts[kind] = counts.get(kind, 0) + gres.count
    return counts


def gpus_shared(text: str) -> dict[str, int]:
    """Count the GPUs of which shards or MPS are taken by type; ``""`` stands for no type.

    Slurm 22.05 gives the number of GPUs (``shard:a100:2(IDX:0-1)``), later ones the shares of each. Where
    neither is told, each part may be of another GPU.

    Raises:
        SlurmValueError: the text is not a list of generic resources.
    """
    counts: dict[str, int] = {}
    for gres in parse(text):
        busy = gres.count if gres.busy is None else gres.busy
        if gres.name in SHARED and busy:
            kind = gres.type or ""
            counts[kind] = counts.get(kind, 0) + busy
    return counts


def _gres(match: re.Match[str]) -> Gres:
    kind = match["type"]
    counted = _COUNTED.search(match["notes"])
    count = int(match["count"] or (counted["count"] if counted else 1))
    return Gres(
        name=match["name"],
        type=None if kind in {None, "(null)"} else kind,
        count=count * 1024 ** _POWER[(match["unit"] or "").upper()],
        indices=_indices(match["notes"]),
        busy=_busy(match["notes"]),
    )


def _indices(notes: str) -> tuple[int, ...] | None:
    """Return the device numbers of ``(IDX:0-1,3)``; ``None`` where they are not told."""
    match = _INDICES.search(notes)
    if match is None:
        return None
    return tuple(int(number) for number in hostlist.expand(f"[{match['indices']}]"))


def _busy(notes: str) -> int | None:
    """Return the number of GPUs in use in ``(3/4,0/4,-/4)``, here 1; ``None`` where it is not told."""
    match = _SHARES.search(notes)
    if match is None:
        return None
    shares: str = match["shares"]
    return sum(share.partition("/")[0].strip("0-") != "" for share in shares.split(","))
