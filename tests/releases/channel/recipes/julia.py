"""Julia 1.5.3 of Debian 11, the last Debian that had one, as conda's `julia`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.releases.channel.package import Package
from tests.releases.channel.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.releases.channel.work import Work

# Julia finds its files by where its program is, as Debian has them below /usr.
HOME = "lib/julia"
LIBRARIES = f"{HOME}/lib/x86_64-linux-gnu"
LEFT_OUT = {"test", "docs", "doc"}


def packages(work: Work) -> Iterator[Package]:
    """Yield `julia`."""
    suite = work.suite("bullseye")
    suite.unpack("julia", "curl")
    tree = Tree(suite.root, work.empty("julia"))
    tree.take("usr/bin/julia", f"{HOME}/bin/julia")
    tree.take("usr/lib/x86_64-linux-gnu/julia", f"{LIBRARIES}/julia")
    tree.take("usr/share/julia", f"{HOME}/share/julia", leave=LEFT_OUT.__contains__)
    tree.take("etc/julia", f"{HOME}/etc/julia")
    # This Julia's Pkg does nothing without a program that downloads, not even what needs no download.
    tree.take("usr/bin/curl", "bin/curl")
    (tree.top / "bin/julia").symlink_to(f"../{HOME}/bin/julia")
    # What Julia opens by a link one directory below is looked for from there: hence also above each.
    tree.complete(LIBRARIES, f"{LIBRARIES}/julia", f"{HOME}/lib", opened=_opened(tree))
    yield Package(
        name="julia",
        version=f"{suite.version('julia')}+lab",
        files=dict(tree.files()),
        depends=(suite.glibc,),
        license="MIT",
        summary="The Julia of Debian 11",
    )


def _opened(tree: Tree) -> tuple[str, ...]:
    """Libraries that Julia opens by the links in its own directory, which lead to the machine's."""
    links = [path for path in (tree.top / LIBRARIES / "julia").iterdir() if path.is_symlink()]
    return tuple(sorted({path.readlink().name for path in links if path.readlink().parent.name}))
