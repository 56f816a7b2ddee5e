"""What the contract tests look at: the repository's own files, and how to read them."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
# Files of tasks and of variables lie beside the playbooks of the lab.
PLAYBOOKS = sorted(
    path for path in (ROOT / "playbooks").rglob("*.yml") if path.parent.name in {"playbooks", "lab"}
)


@cache
def committed() -> tuple[Path, ...]:
    """Every file that is committed, or would be: all that git does not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    paths = (ROOT / name for name in listing.split("\0") if name)
    return tuple(path for path in paths if path.is_file())


def load(path: Path) -> Any:
    """The content of one YAML file; None for an empty file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def tasks(path: Path) -> Iterator[dict[str, Any]]:
    """Every task of a file of tasks, handlers or plays, those inside blocks and plays included."""
    yield from _walk(load(path) or [])


def _walk(entries: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for entry in entries:
        nested = [
            key
            for key in ("block", "rescue", "always", "pre_tasks", "tasks", "post_tasks", "handlers")
            if key in entry
        ]
        if not nested:
            yield entry
        for key in nested:
            yield from _walk(entry[key])


def short(path: Path) -> str:
    """A path as it reads from the top of the repository (also the test's id)."""
    return path.relative_to(ROOT).as_posix()
