"""What a site wants of its releases: one JSON document, which role `releases` gives to the tool."""

from __future__ import annotations

import base64
import io
import json
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from berth.releases import fields
from berth.releases.errors import ReleaseError
from berth.releases.fields import FieldError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

_KEYS: Final = (
    *("root", "layers_dir", "published", "hidden", "ends", "layers", "environments"),
    *("channels", "pip_index", "conda_channels", "conda_settings", "user_site"),
)
_OF_RELEASES: Final = ("ends", "layers", "environments")


@dataclass(frozen=True)
class Wanted:
    """One release that the site has: what differs there from the release's own spec.

    `layer` is None for its own; `ends` is the last day on which sessions start with it; `environments`
    is None for all.
    """

    name: str
    layer: str | None = None
    hidden: bool = False
    ends: dt.date | None = None
    environments: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Settings:
    """Where things are, which releases there shall be, and where packages come from.

    `channels` maps names to the site's URLs; `pip_index` is empty for uv's own default; `conda_channels`
    and `conda_settings` are for users' conda; `user_site` lets kernels see packages of the user's own.
    """

    root: Path
    layers_dir: Path
    specs_dir: Path
    releases: tuple[Wanted, ...]
    channels: Mapping[str, str]
    pip_index: str
    conda_channels: tuple[str, ...]
    conda_settings: Mapping[str, object]
    user_site: bool

    def condarc(self) -> dict[str, object]:
        """Give the settings of users' conda: a mirror serves the name that it mirrors.

        Packages are kept in the home: those beside the release's conda are nobody's to write.
        """
        known: dict[str, dict[str, object]] = {}
        for name, url in self.channels.items():
            base, _, last = url.rstrip("/").rpartition("/")
            # conda adds the name to the address of a custom channel; another address makes a channel of many
            key, value = ("custom_channels", base) if last == name else ("custom_multichannels", [url])
            known.setdefault(key, {})[name] = value
        ours = {"channels": list(self.conda_channels), "pkgs_dirs": ["~/.conda/pkgs"]}
        return {**ours, **known, **self.conda_settings}


def load(place: str, scratch: Path) -> Settings:
    """Read the settings from a file, or from standard input for `-`; raises ReleaseError.

    Specs that come along (`specs`, a zip archive in base64) are unpacked into `scratch`.
    """
    try:
        text = sys.stdin.read() if place == "-" else Path(place).read_text(encoding="utf-8")
        return _settings(json.loads(text), scratch)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ReleaseError(f"the settings {place} cannot be read: {error}") from error
    except FieldError as error:
        raise ReleaseError(f"the settings {place} are not valid: {error}") from error


def _settings(document: object, scratch: Path) -> Settings:
    item = fields.mapping(document, "the settings", _KEYS, ("specs", "specs_dir"))
    published = fields.names(item["published"], "published")
    hidden = fields.names(item["hidden"], "hidden")
    by_name = {key: _mapping(item[key], key) for key in _OF_RELEASES}
    named = {*hidden, *(name for entries in by_name.values() for name in entries)}
    if strangers := sorted(named - set(published)):
        raise FieldError(
            f"{', '.join(strangers)}: hidden, ends, layers and environments speak of published ones"
        )
    channels = _mapping(item["channels"], "channels")
    return Settings(
        root=Path(fields.absolute(item["root"], "root")),
        layers_dir=Path(fields.absolute(item["layers_dir"], "layers_dir")),
        specs_dir=_specs(item, scratch),
        releases=tuple(_wanted(name, name in hidden, by_name) for name in published),
        channels={
            fields.name(name, "channels"): fields.public(fields.text(url, name), f"channels.{name}")
            for name, url in channels.items()
        },
        pip_index=fields.public(fields.maybe_empty(item["pip_index"], "pip_index"), "pip_index"),
        conda_channels=fields.texts(item["conda_channels"], "conda_channels"),
        conda_settings=_mapping(item["conda_settings"], "conda_settings"),
        user_site=fields.truth(item["user_site"], "user_site"),
    )


def _specs(item: Mapping[str, object], scratch: Path) -> Path:
    if "specs_dir" in item:
        return Path(fields.absolute(item["specs_dir"], "specs_dir"))
    packed = base64.b64decode(fields.text(item.get("specs"), "specs"), validate=True)
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        archive.extractall(scratch)  # never outside of it: zipfile drops `..`, drives and leading slashes
    return scratch


def _mapping(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise FieldError(f"{where} must be a mapping, found {type(value).__name__}")
    return value


def _wanted(name: str, hidden: bool, by_name: Mapping[str, Mapping[str, Any]]) -> Wanted:  # noqa: FBT001
    ends, layer, environments = (by_name[key].get(name) for key in _OF_RELEASES)
    return Wanted(
        name=name,
        layer=None if layer is None else fields.name(layer, f"layers.{name}"),
        hidden=hidden,
        ends=None if ends is None else fields.date(ends, f"ends.{name}"),
        environments=None if environments is None else fields.names(environments, f"environments.{name}"),
    )
