"""CPython 3.11 of Debian 12 as conda's `python`, with the libraries that Debian 13 has in other versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.releases.channel.package import Package
from tests.releases.channel.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.releases.channel.work import Work

LIB = "lib/python3.11"
# Tests, a database format that is Debian's to keep, Solaris' names, and what pip brings itself.
LEFT_OUT = {
    "EXTERNALLY-MANAGED",
    "__pycache__",
    "_dbm.cpython-311-x86_64-linux-gnu.so",
    "_distutils_system_mod.py",
    "libpython3.11-pic.a",
    "libpython3.11.a",
    "libpython3.11.so",
    "nis.cpython-311-x86_64-linux-gnu.so",
    "sitecustomize.py",
    "test",
}


def packages(work: Work) -> Iterator[Package]:
    """Yield `python`, and `pycosat`, which PyPI has as source only."""
    suite = work.suite("bookworm")
    suite.unpack("python3.11-venv", "libpython3.11-dev", "python3-pycosat")
    tree = Tree(suite.root, work.empty("python"))
    tree.take("usr/bin/python3.11", "bin/python3.11")
    tree.take("usr/lib/python3.11", LIB, leave=LEFT_OUT.__contains__)
    tree.take("usr/include/python3.11", "include/python3.11")
    tree.take("usr/include/x86_64-linux-gnu/python3.11", "include/python3.11")
    tree.take("usr/share/python-wheels", f"{LIB}/ensurepip/_bundled")
    _undo_debian(tree)
    (tree.top / LIB / "site-packages").mkdir()
    tree.write(f"{LIB}/site-packages/README.txt", "Packages of this environment.\n")
    for name in ("python", "python3"):
        (tree.top / "bin" / name).symlink_to("python3.11")
    tree.complete("lib")
    yield Package(
        name="python",
        version=f"{suite.version('python3.11')}+lab",
        files=dict(tree.files()),
        depends=(suite.glibc,),
        license="PSF-2.0",
        summary="The Python of Debian 12",
    )
    yield _pycosat(work)


def _undo_debian(tree: Tree) -> None:
    """Let modules be in site-packages: Debian's Python looks into dist-packages for those of packages."""
    # site is frozen into the program; both names are equally long.
    tree.edit_bytes("bin/python3.11", (b"dist-packages", b"site-packages"))
    tree.edit(f"{LIB}/site.py", ("dist-packages", "site-packages"))
    tree.edit(
        f"{LIB}/sysconfig.py",
        ("os.environ.get('DEB_PYTHON_INSTALL_LAYOUT', 'posix_local')", "''"),
        ("prefix_scheme = 'posix_local'", "prefix_scheme = 'posix_prefix'"),
    )
    tree.edit(
        f"{LIB}/distutils/sysconfig.py",
        (
            'os.path.join(prefix, "lib", "python3", "dist-packages")',
            'os.path.join(libpython, "site-packages")',
        ),
    )
    tree.edit(
        f"{LIB}/ensurepip/__init__.py",
        (
            "_WHEEL_PKG_DIR = sysconfig.get_config_var('WHEEL_PKG_DIR')",
            "_WHEEL_PKG_DIR = os.path.join(os.path.dirname(__file__), '_bundled')",
        ),
    )


def _pycosat(work: Work) -> Package:
    suite = work.suite("bookworm")
    tree = Tree(suite.root, work.empty("pycosat"))
    place = f"{LIB}/site-packages"
    tree.take("usr/lib/python3/dist-packages", place, leave=lambda name: not name.startswith("pycosat"))
    tree.complete("lib/pycosat-libraries")
    return Package(
        name="pycosat",
        version=f"{suite.version('python3-pycosat')}+lab",
        files=dict(tree.files()),
        depends=("python >=3.11,<3.12.0a0", suite.glibc),
        license="MIT",
        summary="The SAT solver of conda's classic solver",
    )
