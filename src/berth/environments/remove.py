"""`berth env remove`: an environment with its kernel, or what there is of them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from berth.environments import conda, own
from berth.environments.context import OwnError

if TYPE_CHECKING:
    from pathlib import Path

    from berth.environments.context import Context


def find(context: Context, name: str) -> tuple[Path | None, Path | None]:
    """Give the environment's prefix and the kernel's directory, None for what there is not.

    Raises OwnError when there is neither.
    """
    if not name or "/" in name or name.startswith("."):
        raise OwnError(f"{name!r} is no name of an environment")
    prefix = conda.directory(context.conda) / name if context.conda else None
    kernel = own.directory(context.home) / name
    if prefix is not None and not prefix.is_dir():
        prefix = None
    found = kernel if kernel.is_dir() or kernel.is_symlink() else None
    if prefix is None and found is None:
        raise OwnError(f"there is neither an environment nor a kernel called {name}")
    return prefix, found


def remove(context: Context, prefix: Path | None, kernel: Path | None) -> None:
    """Remove what `find` gave. The kernel goes last: it shows what is left, should conda not remove all."""
    if prefix is not None:
        if not (prefix / "conda-meta").is_dir():
            raise OwnError(f"{prefix} is no conda environment: remove it yourself, if you mean to")
        conda.remove(context.needed_conda(), prefix)
    if kernel is not None:
        if kernel.is_symlink():
            kernel.unlink()
        else:
            shutil.rmtree(kernel)
