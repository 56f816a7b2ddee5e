"""clang-repl of Debian 12 as conda's `clang-repl`, with the headers of C and C++, for nodes without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.releases.channel.package import Package
from tests.releases.channel.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.releases.channel.work import Work

LLVM = "lib/llvm-19"
SYSROOT = f"{LLVM}/sysroot"
GCC = "usr/lib/gcc/x86_64-linux-gnu/12"
# Of the machine's headers those for other languages, and of the compiler's what is linked into programs.
LEFT_OUT = {"clang", "finclude", "llvm-19", "python3.11", "lib", "share"}


def packages(work: Work) -> Iterator[Package]:
    """Yield `clang-repl`."""
    suite = work.suite("bookworm")
    suite.unpack("clang-tools-19", "clang-19", "libstdc++-12-dev")
    tree = Tree(suite.root, work.empty("clang"))
    for name in ("clang", "clang-repl"):
        tree.take(f"usr/lib/llvm-19/bin/{name}", f"{LLVM}/bin/{name}")
    tree.take("usr/lib/llvm-19/lib/clang", f"{LLVM}/lib/clang", leave=LEFT_OUT.__contains__)
    tree.take("usr/include", f"{SYSROOT}/usr/include", leave=LEFT_OUT.__contains__)
    # By this file clang knows that there is a GCC, and takes its C++ headers.
    tree.take(f"{GCC}/crtbegin.o", f"{SYSROOT}/{GCC}/crtbegin.o")
    tree.take(f"{GCC}/include", f"{SYSROOT}/{GCC}/include", leave={"plugin"}.__contains__)
    (tree.top / "bin").mkdir()
    (tree.top / "bin/clang-repl").symlink_to(f"../{LLVM}/bin/clang-repl")
    tree.complete(f"{LLVM}/lib")
    yield Package(
        name="clang-repl",
        version=f"{suite.version('clang-tools-19')}+lab",
        files=dict(tree.files()),
        depends=(suite.glibc,),
        license="Apache-2.0 WITH LLVM-exception",
        summary="LLVM's interpreter of C and C++",
    )
