"""The releases that are published: each has to be there, complete."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from berth.inventory.mistakes import Mistake, listed, nearest
from berth.releases import fields, spec
from berth.releases.errors import ReleaseError
from berth.releases.fields import FieldError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from berth.inventory.site import View

PUBLISHED = "releases_published"
_LAYERS = "releases_layers"
_HIDDEN = "releases_hidden"
_ENVIRONMENTS = "releases_environments"
_ABOUT = ("releases_end", _LAYERS, _ENVIRONMENTS)
_SPECS = "releases_specs_dir"
_CHANNELS = "releases_channels"
_INDEX = "releases_pip_index"
_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")


def published(view: View) -> Iterator[Mistake]:
    """Find releases that do not exist, are named twice, or are incomplete."""
    root = Path(view.text(_SPECS)).resolve()
    there = sorted(path.parent.name for path in root.glob("*/release.yml"))
    # Where it is for the hub alone that the inventory speaks of releases, nodes have nothing but defaults.
    installs = view.given(PUBLISHED) or view.host in view.site.members("hub")
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
        elif installs:
            yield from _incomplete(view, root, name)


def about(view: View) -> Iterator[Mistake]:
    """Find what is said about releases that are not published, and layers that are no names."""
    entries = [str(entry) for entry in view.entries(PUBLISHED)]
    for variable in (_HIDDEN, *_ABOUT):
        names = view.entries(variable) if variable == _HIDDEN else view.mapping(variable)
        for release in (str(name) for name in names):
            if release in entries:
                continue
            near = nearest(release, entries)
            fix = f"Write {near}" if near else f"Take it out, or add it to {PUBLISHED}"
            yield view.mistake((variable,), f"{variable} names {release}, which is not published", fix)
    for release, layer in view.mapping(_LAYERS).items():
        if not isinstance(layer, str) or _NAME.fullmatch(layer) is None:
            problem = f"{_LAYERS}: {layer!r} is not the name of a layer"
            yield view.mistake((_LAYERS, release), problem, 'Write it in quotes, such as "4.6-1"')


def addresses(view: View) -> Iterator[Mistake]:
    """Find addresses with a password or a token, which are not repeated here."""
    channels = view.mapping(_CHANNELS)
    found = [((_CHANNELS, name), f"{_CHANNELS}: {name}", channels[name]) for name in channels]
    for path, where, address in (*found, ((_INDEX,), _INDEX, view.value(_INDEX))):
        try:
            fields.public(str(address), where)
        except FieldError:
            fix = "Name it in the file of RATTLER_AUTH_FILE or NETRC, as docs/operate/releases.md says"
            yield view.mistake(path, f"{where} holds a password or token, which users could read", fix)


def install_host(view: View) -> Iterator[Mistake]:
    """Find a host that shall install for all, but to which no playbook goes: nothing would be installed."""
    yield from _installing(view, "releases_install_host")


def session_install_host(view: View) -> Iterator[Mistake]:
    """Find the same for the session layer."""
    yield from _installing(view, "session_install_host")


def _installing(view: View, name: str) -> Iterator[Mistake]:
    known = [host.name for host in view.site.members("hub", "interactive_nodes")]
    host = view.text(name)
    if host and host not in known:
        near = nearest(host, known)
        fix = f"Write {near}" if near else 'Write a host of these groups, or "" for each host for itself'
        yield view.mistake((name,), f"{name}: {host} is no host of hub or interactive_nodes", fix)


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


def _incomplete(view: View, specs: Path, name: str) -> Iterator[Mistake]:
    """Find what keeps a release from being built: a wrong spec, a lock that is not there or is of another."""
    place = _shown(specs / name / "release.yml")
    try:
        release = spec.load(specs, name)
    except ReleaseError as error:
        yield Mistake(place, str(error), "Correct it as docs/develop/releases.md says")
        return
    known = [item.name for item in release.environments]
    wanted = view.mapping(_ENVIRONMENTS).get(name)
    chosen = wanted if isinstance(wanted, list) else known
    for stranger in (str(item) for item in chosen if item not in known):
        near = nearest(stranger, known)
        fix = f"Write {near}" if near else f"Write one that it has: {listed(known)}"
        problem = f"{_ENVIRONMENTS} names {stranger}, which release {name} does not have"
        yield view.mistake((_ENVIRONMENTS, name), problem, fix)
    needed = [item for item in release.requests() if item not in known or item in chosen]
    missing = [item for item in needed if not release.lock_path(item).is_file()]
    if missing:
        fix = f"Make what is missing with `berth release lock {name}`, and commit it"
        yield Mistake(place, f"there is no lock of {listed(missing)}", fix)
    for environment in set(needed) - set(missing):
        try:
            release.read_lock(environment)
        except ReleaseError as error:
            yield Mistake(place, str(error), "Then commit it with the spec")


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
