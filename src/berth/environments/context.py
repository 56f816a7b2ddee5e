"""Where `berth env` works: the running session's conda, its releases, and the user's home."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from berth.environments.faults import Releases
from berth.releases import catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping


NO_ROOM: Final = (
    "there is no space left, or your quota is used up, and nothing of the environment is left; make room and "
    "create it again. `conda clean --all` removes packages that conda keeps in your home"
)
# As Python, conda, libmamba and SQLite say it; the numbers are Linux's, in every language.
_FULL: Final = re.compile(
    r"\[Errno (?:28|122)\]|No space left on device|Disk quota exceeded|disk is full", re.IGNORECASE
)


class OwnError(Exception):
    """What was asked for cannot be done; the text is a sentence for the user."""


def out_of_room(said: str) -> bool:
    """Say whether a message is about a disk that is full, or a quota that is used up."""
    return _FULL.search(said) is not None


@dataclass(frozen=True)
class Context:
    """`conda` is the prefix of the release's conda, `kernels` names the kernels of the release."""

    home: Path
    conda: Path | None
    release: str
    releases: Releases
    kernels: frozenset[str]

    def needed_conda(self) -> Path:
        """Give conda's prefix; raises where the release has none."""
        if self.conda is None:
            raise OwnError(f"release {self.release} has no conda: choose another one in the form")
        return self.conda


def read(environ: Mapping[str, str]) -> Context:
    """Read what the session says to its terminals; raises outside of one."""
    index = environ.get("BERTH_RELEASES_INDEX")
    release = environ.get("BERTH_RELEASE")
    if not index or not release:
        raise OwnError("this works in a terminal of a session only: open one from the launcher")
    conda = environ.get("BERTH_CONDA")
    try:
        known = catalogue.load(index)
    except catalogue.CatalogueError as error:
        raise OwnError(f"the releases of this site cannot be read: {error}") from error
    return Context(
        home=Path(environ.get("HOME") or Path.home()),
        conda=Path(conda) if conda else None,
        release=release,
        releases=Releases(Path(index).parent, frozenset(item.name for item in known)),
        kernels=frozenset(
            environment.kernel for item in known if item.name == release for environment in item.environments
        ),
    )
