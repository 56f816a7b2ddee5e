"""R and IRkernel of Debian 12, as one conda package `r-base` and one `r-irkernel`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.releases.channel.package import PLACEHOLDER, Package
from tests.releases.channel.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.releases.channel.work import Work

HOME = f"{PLACEHOLDER}/lib/R"
# Not `lib` itself: another package may bring another version of a library.
LIBRARIES = "lib/R/libraries"
FONTS = f"""\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{PLACEHOLDER}/lib/R/fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
"""


def packages(work: Work) -> Iterator[Package]:
    """Yield both."""
    suite = work.suite("bookworm")
    suite.unpack("r-base-core", "r-cran-irkernel")
    tree = Tree(suite.root, work.empty("r"))
    tree.take("usr/lib/R", "lib/R", leave={"site-library", "Renviron.ucf"}.__contains__)
    for name in ("doc", "include", "share"):
        tree.take(f"usr/share/R/{name}", f"lib/R/{name}")
    for name in ("Makeconf", "Renviron.site", "Rprofile.site", "ldpaths", "repositories"):
        (tree.top / "lib/R/etc" / name).unlink()
        tree.take(f"etc/R/{name}", f"lib/R/etc/{name}")
    (tree.top / "lib/R/etc/Renviron").unlink()
    tree.take("usr/lib/R/etc/Renviron.ucf", "lib/R/etc/Renviron")
    tree.take("usr/share/fonts/truetype/dejavu", "lib/R/fonts")
    _relocate(tree)
    tree.complete(LIBRARIES, "lib/R/lib")
    yield Package(
        name="r-base",
        version=f"{suite.version('r-base-core')}+lab",
        files=dict(tree.files()),
        depends=(suite.glibc,),
        license="GPL-2.0-or-later",
        summary="The R of Debian 12",
    )
    yield _irkernel(work)


def _relocate(tree: Tree) -> None:
    tree.edit(
        "lib/R/bin/R",
        ("R_HOME_DIR=/usr/lib/R\n", f"R_HOME_DIR={HOME}\n"),
        *((f"/usr/share/R/{name}", f"{HOME}/{name}") for name in ("doc", "include", "share")),
    )
    # Debian has libraries of R in places of the machine's.
    tree.edit("lib/R/etc/Renviron", ("/usr/local/lib/R/site-library:%S", "%S"))
    tree.edit(
        "lib/R/etc/Renviron.site",
        (
            'R_LIBS_SITE="/usr/local/lib/R/site-library/:${R_LIBS_SITE}:/usr/lib/R/library"',
            f"R_LIBS_SITE={HOME}/site-library\nFONTCONFIG_FILE={HOME}/etc/fonts.conf",
        ),
    )
    tree.edit("lib/R/etc/ldpaths", ("${R_HOME}/lib:/usr/lib/x86_64-linux-gnu", "${R_HOME}/lib"))
    tree.write("lib/R/etc/fonts.conf", FONTS)
    tree.write("bin/R", f'#!/bin/sh\nexec {HOME}/bin/R "$@"\n', executable=True)
    # The program looks for R where Debian has it, but for this variable.
    script = f'#!/bin/sh\nRHOME={HOME} exec {HOME}/bin/Rscript "$@"\n'
    tree.write("bin/Rscript", script, executable=True)


def _irkernel(work: Work) -> Package:
    suite = work.suite("bookworm")
    tree = Tree(suite.root, work.empty("irkernel"))
    tree.take("usr/lib/R/site-library", "lib/R/site-library")
    start = [f"{PLACEHOLDER}/bin/R", "--slave", "-e", "IRkernel::main()", "--args", "{connection_file}"]
    kernel = {"argv": start, "display_name": "R", "language": "R"}
    tree.write("share/jupyter/kernels/ir/kernel.json", json.dumps(kernel, indent=1))
    for name in ("logo-64x64.png", "logo-svg.svg", "kernel.js"):
        tree.take(f"usr/lib/R/site-library/IRkernel/kernelspec/{name}", f"share/jupyter/kernels/ir/{name}")
    # What is in the package r-base is not here again: R has found it by the time it loads these.
    tree.complete("lib/R/site-library/libraries", provided=("libR.so", "libblas.so.3", "liblapack.so.3"))
    return Package(
        name="r-irkernel",
        version=f"{suite.version('r-cran-irkernel')}+lab",
        files=dict(tree.files()),
        depends=("r-base",),
        license="MIT",
        summary="The R kernel of Debian 12, with the R packages that it needs",
    )
