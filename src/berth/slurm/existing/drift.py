"""What the inventory says of a node, against what the node says of itself. Reported, never put right.

The answers of a node are the texts that these commands printed, each under the command itself: ``slurmd -C``,
``slurmd -V``, ``nvidia-smi -L``, ``nvidia-smi --query-gpu=name,mig.mode.current`` (as CSV) and ``missing
files`` (device files of the inventory that are not there, one a line). What is not there, or empty, tells
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from berth.slurm.config import describe, devices, gpus, rows
from berth.slurm.notation import units

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from berth.slurm.config.describe import Item

SLURMD = "slurmd -C"
VERSION = "slurmd -V"
LIST = "nvidia-smi -L"
QUERY = "nvidia-smi --query-gpu=name,mig.mode.current"
MISSING = "missing files"

SLICES_COUNTED_RIGHT = (23, 2, 7)
"""Before, slurmd made a GPU of every file of a slice as soon as GPUs are shared (Slurm's NEWS, 23.02.7)."""

_FIELD = re.compile(r"\b([A-Za-z]+)=([0-9]+)\b")
_DETECTED = re.compile(r"\bAutodetect=([a-z]+)")
_WHOLE = re.compile(r"GPU ([0-9]+): (.*?)(?: \(UUID: [^()]*\))?")
_SLICE = re.compile(r"\s+MIG (\S+)\s+Device\s+[0-9]+:.*")
_PROFILE = re.compile(r".*?([0-9]+(?:c\.[0-9]+)?g\.[0-9]+gb(?:\+\w+)*)", re.IGNORECASE)
_VERSION = re.compile(r"slurm\S* ([0-9]+)\.([0-9]+)\.([0-9]+)")
_TOPOLOGY = {
    "sockets": ("sockets", ("Boards", "SocketsPerBoard")),
    "cores_per_socket": ("cores a socket", ("CoresPerSocket",)),
    "threads_per_core": ("threads a core", ("ThreadsPerCore",)),
}


@dataclass
class _Gpu:
    """One GPU that the driver knows, and the profiles of its slices."""

    name: str
    slices: list[str]


def sections(text: object) -> dict[str, str]:
    """Cut one answer into its parts: each begins with a line ``== COMMAND``.

    Raises:
        SlurmValueError: it is not text.
    """
    found: dict[str, str] = {}
    for part in re.split(r"^== ", units.text_of(text), flags=re.MULTILINE)[1:]:
        command, _, answer = part.partition("\n")
        found[command.strip()] = answer
    return found


def compare(node: Mapping[str, object], answers: object, gres_types: Collection[str] = ()) -> list[str]:
    """Say in sentences where *node* differs from *answers*, its answers or one text of all (`sections`).

    Memory may be described as less than there is, because the system needs some. *gres_types* are those of
    the whole cluster (``GresTypes``).

    Raises:
        SlurmValueError: the description is wrong, or the answers are no texts.
    """
    (item,) = describe.items([node], "node", rows.NODE_KEYS)
    texts = answers if isinstance(answers, Mapping) else sections(answers)
    known = {str(command): units.text_of(text) for command, text in texts.items()}
    said = [
        *_machine(item, known.get(SLURMD, "")),
        *_gpus(item, known.get(LIST, ""), known.get(QUERY, "")),
        *_detection(item, known.get(SLURMD, "")),
        *_slices(item, known.get(VERSION, ""), gres_types),
        *_missing(known.get(MISSING, "")),
    ]
    return [f"{item.text('name')}: {sentence}" for sentence in said]


def files(node: Mapping[str, object]) -> list[str]:
    """List the device files that the description of a node names, each once.

    Raises:
        SlurmValueError: the description is wrong.
    """
    (item,) = describe.items([node], "node", rows.NODE_KEYS)
    found = [
        path
        for group in item.items("gpus", gpus.KEYS)
        for key in ("files", "multiple_files")
        for text in group.texts(key)
        for path in devices.paths(group, key, text)
    ]
    return list(dict.fromkeys(found))


def _machine(item: Item, text: str) -> Iterator[str]:
    """Compare CPUs, topology and memory with the line of ``slurmd -C``."""
    line = next((line for line in text.splitlines() if line.startswith("NodeName=")), "")
    found = {key: int(number) for key, number in _FIELD.findall(line)}
    if not found:
        return
    cores = found.get("Boards", 1) * found.get("SocketsPerBoard", 0) * found.get("CoresPerSocket", 0)
    # Slurm also takes one CPU for each core of a machine with hardware threads.
    if item.has("cpus") and item.number("cpus") not in {found.get("CPUs"), cores}:
        cpus, real = item.number("cpus"), found.get("CPUs", 0)
        yield _differs(f"{cpus} CPUs", real, "cpus", more=cpus > real)
    for key, (words, fields) in _TOPOLOGY.items():
        real = 1
        for field in fields:
            real *= found.get(field, 1)
        if item.has(key) and item.number(key) != real:
            yield _differs(f"{item.number(key)} {words}", real, key, more=item.number(key) > real)
    if item.has("memory"):
        described, real = item.checked("memory", units.mebibytes), found.get("RealMemory", 0)
        if real and described > real:
            yield _differs(f"{described} MiB of memory", real, "memory", more=True)


def _differs(described: str, real: int, key: str, *, more: bool) -> str:
    outcome = "Slurm takes no such node into service" if more else "what is not described is not used"
    return f"the inventory says {described}, slurmd -C says {real}: {outcome}; correct {key}"


def _gpus(item: Item, listed: str, queried: str) -> Iterator[str]:
    """Compare the GPUs and slices, their number and their types, with what the driver lists."""
    found = _listed(listed)
    groups = item.items("gpus", gpus.KEYS)
    described = sum(group.number("count") for group in groups)
    real = sum(len(gpu.slices) or 1 for gpu in found)
    if listed.strip() and not found and described:
        yield f"the inventory says {described} GPUs, nvidia-smi -L says: {listed.strip().splitlines()[0]}"
    elif found and described != real:
        names = ", ".join(", ".join(gpu.slices) or gpu.name for gpu in found)
        yield f"the inventory says {described} GPUs, nvidia-smi -L lists {real} ({names}): correct gpus"
    elif found:
        yield from _kinds(item, groups, found)
    modes = [line.rpartition(",")[2].strip() for line in queried.splitlines() if "mig.mode" not in line]
    for number, (gpu, mode) in enumerate(zip(found, modes, strict=False)):
        if mode == "Enabled" and not gpu.slices:
            yield f"GPU {number} ({gpu.name}) is in MIG mode without a slice: nobody can use it"


def _kinds(item: Item, groups: list[Item], found: list[_Gpu]) -> Iterator[str]:
    """Compare the number of each type.

    The type of GPUs with files is any word; that of a slice, or of what slurmd shall find, is not.
    """
    counts: dict[str, int] = {}
    for group in groups:
        kind = group.optional_text("type")
        if kind:
            counts[kind] = counts.get(kind, 0) + group.number("count")
    for kind, count in counts.items():
        profile = _PROFILE.fullmatch(kind)
        real = _count(found, kind, profile[1] if profile else "")
        if real != count and (real or profile or item.has("autodetect")):
            yield f"the inventory says {count} GPUs of type {kind}, nvidia-smi -L lists {real}: correct gpus"


def _listed(text: str) -> list[_Gpu]:
    found: list[_Gpu] = []
    for line in text.splitlines():
        whole, piece = _WHOLE.fullmatch(line.rstrip()), _SLICE.fullmatch(line)
        if whole is not None:
            found.append(_Gpu(whole[2], []))
        elif piece is not None and found:
            found[-1].slices.append(piece[1])
    return found


def _count(found: list[_Gpu], kind: str, profile: str) -> int:
    """Count slices by their profile, and whole GPUs by Slurm's rule: the type is a part of the name."""
    if profile:
        return sum(piece.lower() == profile.lower() for gpu in found for piece in gpu.slices)
    return sum(kind.lower() in gpu.name.lower().replace(" ", "_") for gpu in found if not gpu.slices)


def _detection(item: Item, text: str) -> Iterator[str]:
    """Look whether slurmd can find GPUs in the way that is asked for; newer ones tell how they can."""
    ways = set(_DETECTED.findall(text))
    wanted = item.optional_text("autodetect")
    if wanted and ways and wanted not in ways and not (wanted == "nvidia" and "nvml" in ways):
        yield (
            f"the inventory says autodetect: {wanted}, slurmd -C finds GPUs by {', '.join(sorted(ways))}"
            f" only: install slurmd's plugin gpu_{wanted}, or correct autodetect"
        )


def _slices(item: Item, text: str, gres_types: Collection[str]) -> Iterator[str]:
    """Look whether this slurmd counts described slices of MIG as they are."""
    found = _VERSION.match(text)
    shared = sorted(set(gres_types) & set(gpus.SHARED.values()))
    sliced = any(group.has("multiple_files") for group in item.items("gpus", gpus.KEYS))
    if found and shared and sliced and tuple(map(int, found.groups())) < SLICES_COUNTED_RIGHT:
        yield (
            f"Slurm {'.'.join(found.groups())} counts every file of multiple_files as a GPU, because"
            f" GresTypes names {' and '.join(shared)}: describe no shards and no MPS on any node, or"
            " upgrade Slurm to 23.02.7"
        )


def _missing(text: str) -> Iterator[str]:
    paths = [line.strip() for line in text.splitlines() if line.strip()]
    if paths:
        yield (
            f"no such device file: {', '.join(paths)}: slurmd does not start without; look at the driver,"
            " or correct gpus"
        )
