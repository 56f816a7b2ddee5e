"""The session layer's own settings: `etc/session.json` in the layer, written by role `session`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from berth.session.errors import SessionError
from berth.session.links import Area

if TYPE_CHECKING:
    from pathlib import Path

_KINDS: Final = {
    "profile": str,
    "runtime_dir": str,
    "extensions": list,
    "kernel_oom_score_adj": int,
    "refused_minutes": int,
    "logs_kept": int,
    "log_days": int,
    "idle_minutes": int,
    "work": str,
    "scratch": str,
    "links": bool,
}


@dataclass(frozen=True)
class Settings:
    """What a site decides for every session of a layer.

    `profile`: shell profile that gives kernels and terminals the site's environment.
    `runtime_dir`: directory on the node's own disk for sockets; /tmp and /dev/shm are fallbacks.
    `extensions`: server extensions to load, and no others.
    `kernel_oom_score_adj`: how much sooner than the server a kernel is killed when memory ends.
    `refused_minutes`: how long a hub may deny to know the session before the session ends.
    `logs_kept`, `log_days`: how many logs of a user's sessions are kept, and for how long; 0: for ever.
    `idle_minutes`: how long kernels, terminals and then the session may be idle until they end; 0: for ever.
    `work`, `scratch`: paths of the users' areas, with {user} and {account} in them; empty: none.
    `links`: whether links to these areas are made in the home.
    """

    profile: str
    runtime_dir: str
    extensions: tuple[str, ...]
    kernel_oom_score_adj: int
    refused_minutes: int
    logs_kept: int
    log_days: int
    idle_minutes: int
    work: str
    scratch: str
    links: bool

    @property
    def areas(self) -> tuple[Area, Area]:
        """The work and the scratch area."""
        return Area("work", self.work), Area("scratch", self.scratch)


def load(path: Path) -> Settings:
    """Read the settings; raises SessionError naming the file and what is wrong in it."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SessionError(f"cannot read the layer's settings {path}: {error}") from error
    if not isinstance(document, dict) or document.keys() != _KINDS.keys():
        raise SessionError(f"{path} must be a mapping with exactly {', '.join(_KINDS)}")
    for name, kind in _KINDS.items():
        if type(document[name]) is not kind:
            raise SessionError(f"{path}: {name} must be a {kind.__name__}")
    if not all(isinstance(item, str) for item in document["extensions"]):
        raise SessionError(f"{path}: extensions must be names")
    return Settings(**{**document, "extensions": tuple(document["extensions"])})
