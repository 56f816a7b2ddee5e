"""A registry of Julia packages as files below a depot, and the repositories that it names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.releases.channel.repository import repository

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_IDENTITY = "33c4b5ae-6f9c-4f6f-a0cd-1d1f6ec0a7b4"


@dataclass(frozen=True)
class JuliaPackage:
    """A package in one version; `files` are its sources, `uses` the identities of what it needs by name."""

    name: str
    identity: str
    version: str
    files: Mapping[str, bytes]
    uses: Mapping[str, str] = field(default_factory=dict)


def registry(packages: Sequence[JuliaPackage], place: str) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a depot at `place`: Pkg finds these packages there without any network."""
    listed = "".join(f'{one.identity} = {{ name = "{one.name}", path = "{one.name}" }}\n' for one in packages)
    told = f'name = "Lab"\nuuid = "{_IDENTITY}"\nrepo = "{place}/registries/Lab"\n\n[packages]\n{listed}'
    yield "registries/Lab/Registry.toml", told.encode()
    for one in packages:
        uses = "".join(f'{name} = "{identity}"\n' for name, identity in one.uses.items())
        head = f'name = "{one.name}"\nuuid = "{one.identity}"\n'
        project = f'{head}version = "{one.version}"\n\n[deps]\n{uses}'
        made = repository({**one.files, "Project.toml": project.encode()})
        for path, data in made.files.items():
            yield f"repositories/{one.name}/{path}", data
        entries = {
            "Package": f'{head}repo = "{place}/repositories/{one.name}"\n',
            "Versions": f'["{one.version}"]\ngit-tree-sha1 = "{made.tree}"\n',
            "Deps": f"[{one.version.partition('.')[0]}]\n{uses}",
            "Compat": f'[{one.version.partition(".")[0]}]\njulia = "1"\n',
        }
        for name, text in entries.items():
            yield f"registries/Lab/{one.name}/{name}.toml", text.encode()
