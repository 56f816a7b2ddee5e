"""Device files of GPUs, the cores near them and the links between them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from berth.slurm.notation import hostlist

if TYPE_CHECKING:
    from berth.slurm.config.describe import Item

Row = dict[str, object]

MAX_DEVICES = 1024
"""GPUs with files that Slurm tracks on one node (gres.conf(5))."""

_MAX_LINKS = 1023
_CORES = re.compile(r"[0-9]{1,5}(?:-[0-9]{1,5})?(?:,[0-9]{1,5}(?:-[0-9]{1,5})?)*")
_ITEM = re.compile(r"((?:[^,\[\]]|\[[^\[\]]*\])+)(?:,(?!\Z)|\Z)")


def rows(group: Item, kind: str) -> list[Row]:
    """Return the rows of ``gres.conf`` for one group of GPUs of the type *kind* (empty: none).

    One row, but one for each device where they differ in cores or links, and one for each MIG slice.

    Raises:
        SlurmValueError: the description is wrong.
    """
    count = group.number("count")
    cores, links = _for_each(group, "cores", count), _for_each(group, "links", count)
    if group.has("multiple_files"):
        found: list[Row] = [{"MultipleFiles": text} for text in group.texts("multiple_files")]
    elif not group.has("files"):
        raise group.error(
            "files",
            "is missing, and slurmd ignores GPUs without: name them (/dev/nvidia[0-3]), or"
            " multiple_files for slices, or set autodetect for the node",
        )
    elif len(cores) > 1 or links:
        found = [{"File": path} for path in paths(group, "files", group.text("files"))]
    else:
        found = [{"File": group.text("files")}]
    for number, row in enumerate(found):
        row["Cores"] = cores[number if len(cores) > 1 else 0] if cores else None
        row["Links"] = links[number] if links else None
    return [{"Name": "gpu", "Type": kind or None} | row for row in found]


def check(node: Item, groups: list[Item]) -> None:
    """Refuse files, cores and links of a node's GPUs that do not fit together.

    Raises:
        SlurmValueError: the sentence names the node, the group and the key.
    """
    total = sum(group.number("count") for group in groups)
    if total > MAX_DEVICES:
        raise node.error("gpus", f"{total} GPUs are more than the {MAX_DEVICES} that Slurm tracks on a node")
    whole: set[str] = set()
    slices: list[frozenset[str]] = []
    numbers: list[int] = []
    for group in groups:
        if group.has("files") and group.has("multiple_files"):
            raise group.error(
                "multiple_files", "stands for files where a GPU is cut into slices: name one of them"
            )
        _check_files(group, whole)
        _check_slices(group, slices)
        _check_cores(node, group)
        numbers += _check_links(group, total)
    clash = sorted(path for files in slices for path in whole & files)
    if clash:
        raise node.error("gpus", f"{clash[0]} is a whole GPU in files and a sliced one in multiple_files")
    if len(set(numbers)) < len(numbers):
        raise node.error("gpus", "two GPUs have the -1 of their links at the same place")


def paths(group: Item, key: str, text: str) -> list[str]:
    """List the files of ``/dev/nvidia[0-1],/dev/nvidia-caps/nvidia-cap3``: hostlists below directories."""
    found: list[str] = []
    position = 0
    while position < len(text):
        match = _ITEM.match(text, position)
        directory, _, names = match[1].rpartition("/") if match else ("", "", "")
        if match is None or not directory.startswith("/") or "[" in directory or not names:
            raise group.error(key, f"{text!r} is not an absolute path such as /dev/nvidia[0-1]")
        found += [f"{directory}/{name}" for name in group.checking(key, hostlist.expand, names)]
        position = match.end()
    return found


def _check_files(group: Item, seen: set[str]) -> None:
    if not group.has("files"):
        return
    files, count = group.text("files"), group.number("count")
    found = paths(group, "files", files)
    if len(found) != count or len(set(found)) != count or seen & set(found):
        raise group.error("files", f"{files!r} is {len(found)} files for {count} GPUs, or named twice")
    seen.update(found)


def _check_slices(group: Item, seen: list[frozenset[str]]) -> None:
    """Each slice of MIG has several files, of which it shares those of its GPU with the other slices."""
    if not group.has("multiple_files"):
        return
    texts, count = group.texts("multiple_files"), group.number("count")
    if len(texts) != count:
        raise group.error("multiple_files", f"{len(texts)} entries for {count} slices: give each its own")
    for text in texts:
        files = frozenset(paths(group, "multiple_files", text))
        if len(files) <= 1:
            raise group.error(
                "multiple_files", f"{text!r} is one file: a slice has that of its GPU and others"
            )
        if files in seen:
            raise group.error("multiple_files", f"{text!r} is named twice")
        seen.append(files)


def _for_each(group: Item, key: str, count: int) -> list[str]:
    """Return the texts of *key*: none, one for all devices, or one for each."""
    found = group.texts(key)
    if len(found) not in ({0, count} if key == "links" else {0, 1, count}):
        raise group.error(key, f"{len(found)} entries for {count} GPUs")
    return found


def _check_cores(node: Item, group: Item) -> None:
    """Slurm's cores are numbered over the whole node, whatever threads they have."""
    topology = node.has("sockets") and node.has("cores_per_socket")
    last = node.number("sockets") * node.number("cores_per_socket") if topology else node.number("cpus")
    for text in _for_each(group, "cores", group.number("count")):
        if _CORES.fullmatch(text) is None:
            raise group.error("cores", f"{text!r} is not a list of core numbers such as 0-15")
        pairs = [[int(number) for number in part.split("-")] for part in text.split(",")]
        if any(pair[0] > pair[-1] for pair in pairs) or max(pair[-1] for pair in pairs) >= last:
            raise group.error("cores", f"{text!r} runs backwards, or past the last core, {last - 1}")


def _check_links(group: Item, total: int) -> list[int]:
    """Return the device numbers that the links of this group tell: the places of their -1."""
    found = []
    for text in _for_each(group, "links", group.number("count")):
        words = text.split(",")
        good = all(word == "-1" or (word.isdecimal() and int(word) <= _MAX_LINKS) for word in words)
        if not good or words.count("-1") != 1 or len(words) != total:
            raise group.error(
                "links",
                f"{text!r} is not a number for each of the node's {total} GPUs, -1 for this one itself",
            )
        found.append(words.index("-1"))
    return found
