"""The releases that are published: each has to be there, complete."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from berth.inventory.mistakes import Mistake, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from berth.inventory.site import View

PUBLISHED = "releases_published"
_LAYERS = "releases_layers"
_SPECS = "releases_specs_dir"
_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
_RELEASE = ("date", "layer", "environments")
_ENVIRONMENT = ("name", "lock", "kernel", "display_name", "packages")


def published(view: View) -> Iterator[Mistake]:
    """Find releases that do not exist, are named twice, or are incomplete."""
    root = Path(view.text(_SPECS)).resolve()
    there = sorted(path.parent.name for path in root.glob("*/release.yml"))
    if not view.entries(PUBLISHED):
        yield view.mistake((PUBLISHED,), f"{PUBLISHED} is empty", "Name one release at least")
    for number, name in enumerate(view.entries(PUBLISHED)):
        if not isinstance(name, str):
            continue  # its shape is reported
        path = (PUBLISHED, number)
        if name in view.entries(PUBLISHED)[:number]:
            yield view.mistake(path, f"{PUBLISHED} names {name} twice", "Name it once")
        elif name not in there:
            near = nearest(name, there)
            fix = (
                f"Write {near}"
                if near
                else f"Write one that is there: {', '.join(there)}"
                if there
                else f"Correct {_SPECS}"
            )
            yield view.mistake(path, f"there is no release {name} in {_shown(root)}", fix)
        else:
            yield from _incomplete(root / name / "release.yml")


def layers(view: View) -> Iterator[Mistake]:
    """Find layers for releases that are not published, or that are no names of directories."""
    entries = [str(entry) for entry in view.entries(PUBLISHED)]
    for release, layer in view.mapping(_LAYERS).items():
        if release not in entries:
            near = nearest(release, entries)
            fix = f"Write {near}" if near else f"Take it out, or add it to {PUBLISHED}"
            yield view.mistake((_LAYERS, release), f"{_LAYERS} names {release}, which is not published", fix)
        if not isinstance(layer, str) or _NAME.fullmatch(layer) is None:
            problem = f"{_LAYERS}: {layer!r} is not the name of a layer"
            yield view.mistake((_LAYERS, release), problem, 'Write it in quotes, such as "4.6-1"')


def session(view: View) -> Iterator[Mistake]:
    """Find settings of the session layer that its files could not hold."""
    version = view.text("session_version")
    if _NAME.fullmatch(version) is None:
        fix = "Write letters, digits and . _ + -"
        yield view.mistake(
            ("session_version",), f"session_version {version!r} is not the name of a directory", fix
        )
    directory = view.text("session_runtime_dir")
    if len(directory.encode()) > 32:  # noqa: PLR2004 - the role's limit
        problem = "session_runtime_dir has more than 32 bytes, and unix sockets have short paths"
        yield view.mistake(("session_runtime_dir",), problem, "Write a shorter path, such as /tmp")
    name = "session_environment"
    for key, value in view.mapping(name).items():
        if re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", key) is None:
            fix = "Write letters, digits and underscores, no digit first"
            yield view.mistake((name, key), f"{name}: {key!r} is not the name of a variable", fix)
        if not isinstance(value, str):
            yield view.mistake((name, key), f"{name}: {key} is not text", "Put its value in quotes")


def _incomplete(file: Path) -> Iterator[Mistake]:
    """Find what the role needs and a release.yml does not say."""
    place, fix = _shown(file), "Write it as another release does, or as roles/releases/README.md says"
    try:
        spec: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        yield Mistake(place, f"cannot be read: {' '.join(str(error).split())}", "Correct the file")
        return
    entries = spec.get("environments") if isinstance(spec, dict) else None
    lacking = [key for key in _RELEASE if not isinstance(spec, dict) or not spec.get(key)]
    if lacking:
        yield Mistake(place, f"has no {', '.join(lacking)}", fix)
    for number, entry in enumerate(entries if isinstance(entries, list) else []):
        given = entry if isinstance(entry, dict) else {}
        said = f"environment {given.get('name', number + 1)}"
        lacking = [key for key in _ENVIRONMENT if key not in given]
        if lacking:
            yield Mistake(place, f"{said} has no {', '.join(lacking)}", fix)
        lock = given.get("lock")
        if isinstance(lock, str) and not (file.parent / lock).is_file():
            make = f"Compile it: `releases/lock {file.parent.name}`"
            yield Mistake(place, f"{said}: there is no lock {lock} beside this file", make)


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
