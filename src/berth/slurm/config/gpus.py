"""The GPUs of a described node: its ``Gres``, its rows of ``gres.conf``, and the ``GresTypes`` of them all.

What slurmd or slurmctld would end with, or would get wrong without a word, is refused here. The rules are
those of gres.conf(5), and where it is silent those of Slurm's ``src/interfaces/gres.c``.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from berth.slurm.config import devices

if TYPE_CHECKING:
    from collections.abc import Iterable

    from berth.slurm.config.describe import Item

Row = dict[str, object]

KEYS = frozenset({"type", "count", "files", "multiple_files", "cores", "links", "shards", "mps"})
SHARED = {"shards": "shard", "mps": "mps"}
"""Keys of what several jobs may have of one GPU, and Slurm's name for it."""

_AUTODETECT = frozenset({"nvml", "nvidia", "rsmi", "oneapi", "nrt"})
_FLAGS = frozenset({"nvidia_gpu_env", "amd_gpu_env", "intel_gpu_env", "opencl_env", "no_gpu_env", "explicit"})
_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


def gres(node: Item) -> str:
    """Return the ``Gres`` parameter of a node, empty without GPUs: ``gpu:a100:2,gpu:h100:1,shard:12``.

    Raises:
        SlurmValueError: the description is wrong.
    """
    groups = _checked(node)
    counts: Counter[str] = Counter()
    for group in groups:
        counts[_type(group)] += group.number("count")
    written = [f"gpu:{kind}:{n}" if kind else f"gpu:{n}" for kind, n in counts.items()]
    written += [f"{SHARED[key]}:{_total(groups, key)}" for key in _shared(groups)]
    return ",".join(written)


def rows(node: Item) -> list[Row]:
    """Return the rows of ``gres.conf`` for a node, without its name: the GPUs, then what is shared of them.

    Raises:
        SlurmValueError: the description is wrong.
    """
    groups = _checked(node)
    flags = ",".join(node.texts("gpu_flags")) or None
    if groups and node.has("autodetect"):
        found: list[Row] = [{"AutoDetect": node.text("autodetect")}]
    else:
        found = [{**row, "Flags": flags} for group in groups for row in devices.rows(group, _type(group))]
    found += [row for key in _shared(groups) for row in _shared_rows(node, groups, key)]
    return [{key: value for key, value in row.items() if value is not None} for row in found]


def types(nodes: Iterable[Item]) -> list[str]:
    """Return what ``GresTypes`` has to name for these nodes: ``gpu`` first, as the others are parts of it.

    Raises:
        SlurmValueError: a description is wrong.
    """
    needed: set[str] = set()
    for node in nodes:
        groups = _checked(node)
        needed |= {"gpu"} if groups else set()
        needed |= {SHARED[key] for key in _shared(groups)}
    return sorted(needed, key=lambda name: (name != "gpu", name))


def _checked(node: Item) -> list[Item]:
    """Return the described groups of GPUs, which make sense together."""
    groups = node.items("gpus", KEYS)
    for key, has in (("type", lambda group: group.has("type")), ("files", _has_files)):
        if len({has(group) for group in groups}) > 1:
            raise node.error("gpus", f"either every group of GPUs has {key!r}, or none has")
    if len({_type(group).lower() for group in groups}) < len({_type(group) for group in groups}):
        raise node.error("gpus", "two types differ in capitals only, which Slurm takes for one")
    if len(_shared(groups)) == len(SHARED):
        raise node.error("gpus", "shards or mps, not both: Slurm would give a GPU away twice")
    _check_autodetect(node, groups)
    _check_flags(node)
    devices.check(node, groups)
    return groups


def _has_files(group: Item) -> bool:
    return group.has("files") or group.has("multiple_files")


def _type(group: Item) -> str:
    kind = group.optional_text("type") or ""
    if kind and _TYPE.fullmatch(kind) is None:
        raise group.error("type", f"{kind!r} is not a word such as a100 or 1g.5gb")
    return kind


def _check_autodetect(node: Item, groups: list[Item]) -> None:
    """With AutoDetect, slurmd finds files, cores and links; what is written beside it can only contradict."""
    if not node.has("autodetect"):
        return
    if node.text("autodetect") not in _AUTODETECT:
        raise node.error(
            "autodetect", f"{node.text('autodetect')!r} is none of {', '.join(sorted(_AUTODETECT))}"
        )
    if not groups:
        raise node.error("autodetect", "there are no gpus to be found: describe their type and count")
    given = [key for key in ("files", "multiple_files", "cores", "links") if any(g.has(key) for g in groups)]
    given += ["gpu_flags"] if node.has("gpu_flags") else []
    if given:
        raise node.error("autodetect", f"finds {', '.join(given)} by itself: leave them out")


def _check_flags(node: Item) -> None:
    flags = node.texts("gpu_flags")
    unknown = [flag for flag in flags if flag not in _FLAGS]
    if unknown:
        raise node.error("gpu_flags", f"{unknown[0]!r} is none of {', '.join(sorted(_FLAGS))}")
    if "no_gpu_env" in flags and set(flags) - {"no_gpu_env", "explicit"}:
        raise node.error("gpu_flags", "no_gpu_env excludes the other variables")


def _shared(groups: list[Item]) -> list[str]:
    return [key for key in SHARED if any(group.has(key) for group in groups)]


def _total(groups: list[Item], key: str) -> int:
    """Return how many of *key* a node has; they are described for each GPU."""
    return sum(group.number("count") * group.number(key) for group in groups if group.has(key))


def _shared_rows(node: Item, groups: list[Item], key: str) -> list[Row]:
    """Return the rows for shards or MPS: by device where they differ, else one that Slurm divides evenly."""
    name = SHARED[key]
    if all(group.has("files") for group in groups):
        return [
            {"Name": name, "Count": group.number("count") * group.number(key), "File": group.text("files")}
            for group in groups
            if group.has(key)
        ]
    if len({group.number(key) if group.has(key) else 0 for group in groups}) > 1:
        raise node.error("gpus", f"the GPUs of a node can differ in {key} only where each group has files")
    return [{"Name": name, "Count": _total(groups, key)}]
