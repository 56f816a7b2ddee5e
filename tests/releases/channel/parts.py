"""The parts of the channel, what each is made from, and where it is kept. Standard library only."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent
RELEASES = HERE.parent
TOOLS = ROOT / "requirements/channel.txt"
# What all recipes share: a change of it makes every part anew.
SHARED = ["debian", "package", "requirement", "tree", "wheel", "work"]


@dataclass(frozen=True)
class Part:
    """Packages that are made together, and again only when what they are made from has changed."""

    name: str
    """Module of `recipes`."""
    inputs: tuple[str, ...] = ()
    """Files and directories of `tests/releases` that the recipe reads."""

    def digest(self) -> str:
        """Digest of the recipe, what it reads, and the code and tools that run it."""
        paths = [HERE / f"{name}.py" for name in SHARED]
        paths += [TOOLS, HERE / f"recipes/{self.name}.py"]
        for name in self.inputs:
            path = RELEASES / name
            paths += sorted(path.rglob("*")) if path.is_dir() else [path]
        digest = hashlib.sha256()
        for path in paths:
            if path.is_file() and path.suffix != ".pyc":
                digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
        return digest.hexdigest()[:16]


SMALL = (
    Part("python"),
    Part("wheels", ("wheels/small.txt", "wheels/older.txt")),
    Part("conda", ("wheels/vendored.txt", "channel/files/conda")),
)
FULL = (
    *SMALL,
    Part("science", ("channel/recipes/wheels.py", "wheels/small.txt", "wheels/full.txt")),
    Part("pytorch", ("channel/recipes/wheels.py", "wheels/pytorch.txt")),
    Part("r"),
    Part("clang"),
    Part("julia"),
    Part("kernels", ("kernels", "channel/registry.py", "channel/repository.py")),
)
TIERS = {"small": SMALL, "full": FULL}


def cache() -> Path:
    """Where parts and channels are kept, for every work tree of this user."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "berth/channel"


def digest(parts: tuple[Part, ...]) -> str:
    """The name of the channel that is made of parts."""
    text = "\n".join(f"{part.name} {part.digest()}" for part in parts)
    return digest_of(text.encode())


def digest_of(data: bytes) -> str:
    """The short digest that names of directories have."""
    return hashlib.sha256(data).hexdigest()[:16]
