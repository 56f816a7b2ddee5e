"""The full list of what a release holds: a file whose name and text follow from its prefixes."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from berth.releases import manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

PATTERN: Final = "contents-*.json"
"""Where a release's directory has such a file, it has been published."""


def place(directory: Path, prefixes: Iterable[Path]) -> Path:
    """Give the place of the list for these prefixes, the conda's last."""
    names = "\n".join(prefix.name for prefix in prefixes)
    return directory / f"contents-{hashlib.sha256(names.encode()).hexdigest()[:12]}.json"


def document(environments: Sequence[tuple[str, Path]], conda: Path | None) -> dict[str, Any]:
    """Make the list anew from the manifests; raises ReleaseError where one cannot be read."""
    return {
        "environments": [_listed(name, prefix) for name, prefix in environments],
        "conda": _listed("conda", conda) if conda else None,
    }


def text(environments: Sequence[tuple[str, Path]], conda: Path | None) -> str:
    """Give the list as it is written."""
    return json.dumps(document(environments, conda), indent=0) + "\n"


def _listed(name: str, prefix: Path) -> dict[str, Any]:
    return {"name": name, "packages": list(manifest.read(prefix).packages)}
