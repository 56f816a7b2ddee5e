"""Kernels of our own for languages whose kernels are out of reach: C and C++ on clang-repl, Julia."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.releases.channel.package import PLACEHOLDER, File, Package
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
    "julia": ("Julia", "julia", ["julia"], "julia"),
}


def packages(work: Work) -> Iterator[Package]:
    """Yield their code, and for each kernel what makes Jupyter know it."""
    del work
    files = {
        f"site-packages/lab_kernels/{path.name}": File(path.read_bytes()) for path in MODULES.glob("*.*")
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
