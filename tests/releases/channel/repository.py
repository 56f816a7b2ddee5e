"""Git repositories with one commit, as files: what Julia's Pkg takes packages from. No git is needed."""

from __future__ import annotations

import hashlib
import zlib
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.releases.channel.package import EPOCH

if TYPE_CHECKING:
    from collections.abc import Mapping

_BRANCH = "refs/heads/master"
_CONFIG = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n"
_SIGNED = f"Lab <lab@localhost> {EPOCH} +0000"


@dataclass(frozen=True)
class Repository:
    """A bare repository."""

    tree: str
    """Name of the tree of its only commit, by which Pkg asks for a version of a package."""
    files: Mapping[str, bytes]
    """Its files by their paths in it."""


def repository(content: Mapping[str, bytes]) -> Repository:
    """Make one that holds files, none of them executable, by their paths."""
    files = {"config": _CONFIG.encode(), "HEAD": f"ref: {_BRANCH}\n".encode()}
    tree = _tree(content, files)
    told = f"tree {tree}\nauthor {_SIGNED}\ncommitter {_SIGNED}\n\nAs the lab has it\n"
    files[_BRANCH] = f"{_store('commit', told.encode(), files)}\n".encode()
    return Repository(tree, files)


def _tree(content: Mapping[str, bytes], files: dict[str, bytes]) -> str:
    """Store a directory with all that is in it; give its name."""
    below: dict[str, dict[str, bytes]] = defaultdict(dict)
    entries = {}
    for path, data in content.items():
        name, _, rest = path.partition("/")
        if rest:
            below[name][rest] = data
        else:
            entries[name] = ("100644", _store("blob", data, files))
    for name, inner in below.items():
        entries[f"{name}/"] = ("40000", _tree(inner, files))  # sorted as if the slash was in the name
    told = b"".join(
        f"{mode} {name.rstrip('/')}\0".encode() + bytes.fromhex(stored)
        for name, (mode, stored) in sorted(entries.items())
    )
    return _store("tree", told, files)


def _store(kind: str, data: bytes, files: dict[str, bytes]) -> str:
    """Store an object; give its name."""
    told = f"{kind} {len(data)}\0".encode() + data
    name = hashlib.sha1(told, usedforsecurity=False).hexdigest()
    files[f"objects/{name[:2]}/{name[2:]}"] = zlib.compress(told)
    return name
