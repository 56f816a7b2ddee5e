"""What the pages of the catalogue show, from the index and from the full lists of packages."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

from berth.hub.texts.text import say

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from berth.hub.texts.text import Text
    from berth.releases.catalogue import Contents, Package, Release

CONDA: Final = ""
"""The name of the section for a release's own conda; no environment can be called so."""


@dataclass(frozen=True)
class Section:
    """The packages of one environment, or of the release's conda."""

    name: str
    title: Text | str
    packages: tuple[Package, ...]
    """By name."""
    main: Mapping[str, str]
    """The versions of the packages that are worth naming."""

    @property
    def bytes(self) -> int:
        """What the installed files of its packages take, shared ones counted in each."""
        return sum(package.bytes for package in self.packages)


@dataclass(frozen=True)
class Change:
    """One package that differs between two releases; what is None is not there."""

    name: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class Comparison:
    """What became of one environment; without the old or the new title there is none."""

    name: str
    old_title: Text | str | None
    new_title: Text | str | None
    added: tuple[Change, ...] = ()
    removed: tuple[Change, ...] = ()
    changed: tuple[Change, ...] = ()

    @property
    def title(self) -> Text | str:
        """What it is called now, or was called last."""
        return self.new_title or self.old_title or self.name

    @property
    def kinds(self) -> list[tuple[Text, tuple[Change, ...]]]:
        """The changes by kind, those kinds left out of which there are none."""
        found = [
            (say("releases.added", count=len(self.added)), self.added),
            (say("releases.removed", count=len(self.removed)), self.removed),
            (say("releases.changed", count=len(self.changed)), self.changed),
        ]
        return [(said, changes) for said, changes in found if changes]


def sections(release: Release, contents: Contents | None) -> tuple[Section, ...]:
    """Return the environments in the order of the release, its conda last.

    Without the full lists their packages are empty, and nothing is known of the conda's.
    """
    listed = contents.environments if contents is not None else {}
    found = [
        Section(item.name, item.display_name, _by_name(listed.get(item.name, ())), item.packages)
        for item in release.environments
    ]
    if contents is not None and contents.conda is not None:
        found.append(Section(CONDA, say("releases.conda"), _by_name(contents.conda), {}))
    return tuple(found)


def _by_name(packages: Sequence[Package]) -> tuple[Package, ...]:
    return tuple(sorted(packages, key=lambda item: (item.name.lower(), item.name, item.version)))


def compare(new: Sequence[Section], old: Sequence[Section], *, full: bool) -> tuple[Comparison, ...]:
    """Compare two releases, environment by environment, those last that are gone.

    Without the full lists of both (`full`) the packages that are worth naming are compared.
    """
    before = {section.name: section for section in old}
    now = {section.name for section in new}
    return (
        *(_compare(section, before.get(section.name), full=full) for section in new),
        *(
            Comparison(section.name, section.title, None)
            for section in old
            if section.name not in now and (full or section.name != CONDA)
        ),
    )


def _compare(new: Section, old: Section | None, *, full: bool) -> Comparison:
    if old is None:
        return Comparison(new.name, None, new.title)
    if full:
        there, here = _versions(old.packages), _versions(new.packages)
    else:
        there = {name: (version, version) for name, version in old.main.items()}
        here = {name: (version, version) for name, version in new.main.items()}
    both = [name for name in here if name in there and here[name] != there[name]]
    return Comparison(
        name=new.name,
        old_title=old.title,
        new_title=new.title,
        added=tuple(Change(name, None, here[name][0]) for name in here if name not in there),
        removed=tuple(Change(name, there[name][0], None) for name in there if name not in here),
        changed=tuple(_change(name, there[name], here[name]) for name in both),
    )


def _versions(packages: Sequence[Package]) -> dict[str, tuple[str, str]]:
    """Return (versions, versions with build and channel) by name: two channels may give one name."""
    return {
        name: (", ".join(item.version for item in items), ", ".join(_exactly(item) for item in items))
        for name, items in (
            (name, list(group)) for name, group in groupby(packages, key=lambda package: package.name)
        )
    }


def _exactly(package: Package) -> str:
    return f"{package.version} ({', '.join(part for part in (package.build, package.channel) if part)})"


def _change(name: str, old: tuple[str, str], new: tuple[str, str]) -> Change:
    """Tell the versions; build and channel, too, where only these differ."""
    which = 0 if old[0] != new[0] else 1
    return Change(name, old[which], new[which])


def standing(release: Release, today: dt.date) -> Text:
    """Say whether new sessions may start with a release, and until when."""
    if release.hidden:
        return say("releases.hidden")
    if release.ends is None:
        return say("releases.no_end")
    return say("releases.until" if release.offered(today) else "releases.ended", date=release.ends)


def listed(releases: Sequence[Release], *, hidden: bool) -> tuple[Release, ...]:
    """Return the releases that a reader may see: hidden ones only where that is wanted."""
    return tuple(release for release in releases if hidden or not release.hidden)
