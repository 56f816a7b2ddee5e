"""Kernels of our own for languages whose kernels are out of reach: C and C++ on clang-repl, Julia."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.releases.channel.package import PLACEHOLDER, File, Package
from tests.releases.channel.registry import JuliaPackage, registry
from tests.releases.channel.work import HERE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.releases.channel.work import Work

MODULES = HERE.parent / "kernels/lab_kernels"
VERSION = "1.0+lab"
# Kernel: name that people read, language, words after `python -m lab_kernels.`, package of the interpreter.
KERNELS = {
    "c": ("C", "c", ["clang", "c"], "clang-repl"),
    "cpp": ("C++", "c++", ["clang", "c++"], "clang-repl"),
}

JULIA = HERE.parent / "kernels/julia"
# Two, so that what one release has prepared in a home is not what another needs.
JULIA_VERSIONS = ("1.0", "1.1")
# Julia's packages: their identities, and what they use of Julia's own.
JULIA_PACKAGES = {
    "IJulia": ("a53d3d2a-44e2-4a5f-9d5b-7f0a4fb0f1de", {"Base64": "2a0f44e3-6c83-55bd-87e4-b1978d98bd5f"}),
    "Greeting": ("0f8d6c41-93b0-4a53-8ed3-4a3c1c6e2b19", {}),
}
# The last of the depots that our hook and its kernels use; Debian's own is below lib/julia.
DEPOT = "share/julia"


def packages(work: Work) -> Iterator[Package]:
    """Yield their code, and for each kernel what makes Jupyter know it."""
    del work
    files = {
        f"site-packages/lab_kernels/{path.name}": File(path.read_bytes()) for path in MODULES.glob("*.py")
    }
    yield Package(
        name="lab-kernels",
        version=VERSION,
        files=dict(files),
        depends=("ipykernel", "python >=3.11"),
        license="BSD-3-Clause",
        summary="Kernels of the lab over interpreters that have none here",
        noarch=True,
    )
    for kernel, (shown, language, (module, *words), interpreter) in KERNELS.items():
        start = [
            f"{PLACEHOLDER}/bin/python",
            "-m",
            f"lab_kernels.{module}",
            *words,
            "-f",
            "{connection_file}",
        ]
        told = {"argv": start, "display_name": shown, "language": language}
        yield Package(
            name=f"{kernel}-kernel",
            version=VERSION,
            files={f"share/jupyter/kernels/{kernel}/kernel.json": File(json.dumps(told, indent=1).encode())},
            depends=("lab-kernels", interpreter),
            license="BSD-3-Clause",
            summary=f"The lab's kernel for {shown}",
        )
    for version in JULIA_VERSIONS:
        # No kernelspec, as on conda-forge: Berth's own hook adds IJulia in the user's home.
        found = registry(list(_julia_packages(f"{version}.0")), f"{PLACEHOLDER}/{DEPOT}")
        yield Package(
            name="julia-kernel",
            version=f"{version}+lab",
            files={f"{DEPOT}/{path}": File(data) for path, data in found},
            depends=("lab-kernels", "julia"),
            license="BSD-3-Clause",
            summary="A registry with what stands in for IJulia, and a package for users to add",
        )


def _julia_packages(version: str) -> Iterator[JuliaPackage]:
    for name, (identity, uses) in JULIA_PACKAGES.items():
        top = JULIA / name
        files = {
            path.relative_to(top).as_posix(): path.read_bytes()
            for path in sorted(top.rglob("*"))
            if path.is_file()
        }
        yield JuliaPackage(name, identity, version, files, uses)
