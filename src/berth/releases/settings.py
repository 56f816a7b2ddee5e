"""What a site wants of its releases: `/etc/berth/releases.json`, which role `releases` writes."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from berth.releases import fields
from berth.releases.errors import ReleaseError
from berth.releases.fields import FieldError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

DEFAULT: Final = Path("/etc/berth/releases.json")


@dataclass(frozen=True)
class Wanted:
    """One release that the site has: what differs there from the release's own spec.

    `layer` is None for its own; `ends` is the last day on which sessions start with it; `environments`
    is None for all.
    """

    name: str
    layer: str | None
    hidden: bool
    ends: dt.date | None
    environments: tuple[str, ...] | None


@dataclass(frozen=True)
class Settings:
    """Where things are, which releases there shall be, and where packages come from.

    `channels` maps names to the site's URLs; `pip_index` is empty for uv's own default; `condarc` is what
    users' conda is told; `user_site` lets kernels see `~/.local` and PYTHONPATH.
    """

    root: Path
    layers_dir: Path
    specs_dir: Path
    releases: tuple[Wanted, ...]
    channels: Mapping[str, str]
    pip_index: str
    condarc: Mapping[str, object]
    user_site: bool


def load(place: str) -> Settings:
    """Read the settings from a file, or from standard input for `-`; raises ReleaseError."""
    try:
        text = sys.stdin.read() if place == "-" else Path(place).read_text(encoding="utf-8")
        return _settings(json.loads(text))
    except (OSError, ValueError) as error:
        raise ReleaseError(f"the settings {place} cannot be read: {error}") from error
    except FieldError as error:
        raise ReleaseError(f"the settings {place} are not valid: {error}") from error


def _settings(document: object) -> Settings:
    item = fields.mapping(document, "the settings", Settings.__dataclass_fields__)
    releases = tuple(_wanted(*entry) for entry in fields.items(item["releases"], "releases"))
    fields.distinct([entry.name for entry in releases], "releases")
    channels, condarc = item["channels"], item["condarc"]
    if not isinstance(channels, dict) or not isinstance(condarc, dict):
        raise FieldError("channels and condarc must be mappings")
    return Settings(
        root=Path(fields.absolute(item["root"], "root")),
        layers_dir=Path(fields.absolute(item["layers_dir"], "layers_dir")),
        specs_dir=Path(fields.absolute(item["specs_dir"], "specs_dir")),
        releases=releases,
        channels={fields.name(name, "channels"): fields.text(url, name) for name, url in channels.items()},
        pip_index=fields.maybe_empty(item["pip_index"], "pip_index"),
        condarc=condarc,
        user_site=fields.truth(item["user_site"], "user_site"),
    )


def _wanted(value: object, where: str) -> Wanted:
    item = fields.mapping(value, where, Wanted.__dataclass_fields__)
    layer, ends, environments = item["layer"], item["ends"], item["environments"]
    return Wanted(
        name=fields.name(item["name"], f"{where}.name"),
        layer=None if layer is None else fields.name(layer, f"{where}.layer"),
        hidden=fields.truth(item["hidden"], f"{where}.hidden"),
        ends=None if ends is None else fields.date(ends, f"{where}.ends"),
        environments=None if environments is None else fields.names(environments, f"{where}.environments"),
    )
