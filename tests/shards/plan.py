"""Which shards there are, what proved them last, and which of them are due."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
SHARDS = Path(__file__).with_name("shards.yml")
PROOFS = Path(__file__).with_name("proofs.yml")
HEADER = "---\n# Written by `make test`: the commit that last proved a shard, and a digest of its inputs.\n"


class PlanError(Exception):
    """The shards are described wrongly, or one was asked for that is not there."""


@dataclass(frozen=True)
class Shard:
    """One shard; shards.yml says what its fields mean."""

    name: str
    proves: str
    lab: str
    scenario: str
    owner: str = "default"
    onto: str = ""
    then: tuple[tuple[str, ...], ...] = ()
    inputs: tuple[str, ...] = (".",)


@dataclass(frozen=True)
class Proof:
    """A green run of a shard."""

    commit: str
    inputs: str
    """Digest of the shard's inputs as they were then."""


def shards() -> dict[str, Shard]:
    """Return all shards by name, the one that always runs first."""
    found: dict[str, Shard] = {}
    for name, described in _mapping(SHARDS).items():
        values = dict(described)
        values["then"] = tuple(tuple(command) for command in values.get("then", ()))
        values["inputs"] = tuple(values.get("inputs", (".",)))
        found[name] = Shard(name, **values)
    scenarios = {shard.scenario for shard in found.values()}
    strangers = [shard.name for shard in found.values() if shard.onto and shard.onto not in scenarios]
    if strangers:
        raise PlanError(f"{', '.join(strangers)}: `onto` names a scenario that no shard has")
    return found


def proofs() -> dict[str, Proof]:
    """Return what the repository knows of earlier green runs, by shard."""
    return {name: Proof(**values) for name, values in _mapping(PROOFS).items()}


def keep(name: str, proof: Proof) -> None:
    """Write down that a shard was proved."""
    known = {**proofs(), name: proof}
    rows = {shard: vars(known[shard]) for shard in sorted(known)}
    PROOFS.write_text(HEADER + yaml.safe_dump(rows), encoding="utf-8")


def digest(shard: Shard) -> str:
    """Return a digest of the names and the contents of the shard's inputs in the work tree."""
    listed = _git("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *shard.inputs)
    total = hashlib.sha256()
    for name in sorted(set(listed.split("\0")) - {"", str(PROOFS.relative_to(ROOT))}):
        path = ROOT / name
        if path.is_file():
            total.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()[:16]


def due(every: dict[str, Shard], known: dict[str, Proof], turn: int) -> list[Shard]:
    """Return the first shard, those whose inputs changed since their proof, and one of the rest by *turn*.

    A shard that was never proved is run by `full` or by its name first; the report says that it was not.
    """
    first, *rest = every.values()
    others = [shard for shard in rest if shard.name in known]
    changed = [shard for shard in others if unproved(shard, known)]
    rest = [shard for shard in others if shard not in changed]
    in_turn = [rest[turn % len(rest)]] if rest else []
    return [first, *sorted([*changed, *in_turn], key=others.index)]


def unproved(shard: Shard, known: dict[str, Proof]) -> bool:
    """Return whether no green run is known with the inputs as they are."""
    return shard.name not in known or known[shard.name].inputs != digest(shard)


def commit() -> str:
    """Return the short name of the commit that is checked out, with a plus where files differ from it."""
    # The record of proofs is written by these very runs.
    changed = _git("status", "--porcelain", "--", ".", f":!{PROOFS.relative_to(ROOT)}")
    return _git("rev-parse", "--short", "HEAD").strip() + ("+" if changed else "")


def commits() -> int:
    """Return how many commits led to this one."""
    return int(_git("rev-list", "--count", "HEAD"))


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def _mapping(path: Path) -> dict[str, Any]:
    found = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else None
    return found if isinstance(found, dict) else {}
