"""`berth env create`: an environment, its kernel and a wrapper that loads modules, or nothing of them."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from berth.environments import conda, own, probe
from berth.environments.context import NO_ROOM, OwnError, out_of_room
from berth.session.lock import HeldError, HomeLock

if TYPE_CHECKING:
    from berth.environments.context import Context

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TAKEN: Final = frozenset({"base", "root"})
_MODULE_SECONDS: Final = 120
_INSTALL_SECONDS: Final = 300
# No login shell: BASH_ENV brings `module`, as it does in the wrapper.
_LOAD: Final = """
type module >/dev/null 2>&1 || { echo "this site has no modules" >&2; exit 1; }
module load "$1"
"""
_WRAPPER: Final = """#!/bin/bash
# Loads modules, then starts the kernel. Further commands may stand here.
{loads}

### The kernel itself: keep this the last line.
exec "$@"
"""


@dataclass(frozen=True)
class Order:
    """What the user asked for; `display_name` is what the launcher shows."""

    name: str
    display_name: str
    packages: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()


def create(context: Context, order: Order) -> Path:
    """Make it; give its prefix. Raises OwnError with a sentence; then nothing is left behind."""
    base = context.needed_conda()
    _check_name(order.name, context)
    state = context.home / ".berth" / "environments"
    try:
        with HomeLock(state / f".{order.name}.lock"):
            return _create(context, base, order, state / f"{order.name}.unfinished")
    except HeldError as held:
        raise OwnError(f"{order.name} is being made right now, by {held}") from held
    except OSError as error:
        if out_of_room(str(error)):
            raise OwnError(NO_ROOM) from error
        raise OwnError(f"your home cannot be written: {error}") from error
    except OwnError as error:
        said = str(error)
        raise OwnError(f"{said}\n{NO_ROOM}" if out_of_room(said) else said) from error


def _create(context: Context, base: Path, order: Order, unfinished: Path) -> Path:
    prefix = conda.directory(base) / order.name
    kernel = own.directory(context.home) / order.name
    if unfinished.exists():  # cut off, by the end of a session perhaps: it never was an environment
        left = Path(unfinished.read_text(encoding="utf-8"))
        if left.is_absolute() and left.name == order.name:  # a full disk may have left an empty mark
            conda.discard(base, left)
    for place, what in ((prefix, "an environment"), (kernel, "a kernel")):
        if place.exists() or place.is_symlink():
            raise OwnError(
                f"there is {what} called {order.name} already ({place}); "
                f"choose another name, or remove it: berth env remove {order.name}"
            )
    for module in order.modules:
        _check_module(module)
    try:
        unfinished.write_text(str(prefix), encoding="utf-8")
        conda.create(base, prefix, order.channels, ["ipykernel", *order.packages])
        _install_kernel(prefix, kernel, order)
    except BaseException:
        conda.discard(base, prefix)  # if this is cut off, too, the next `create` does it
        unfinished.unlink(missing_ok=True)
        raise
    unfinished.unlink()
    return prefix


def _check_name(name: str, context: Context) -> None:
    if not _NAME.fullmatch(name) or name.lower() in _TAKEN:
        raise OwnError(
            f"{name!r} cannot be a name: it takes letters, digits and . _ - (64 at most), "
            "begins with a letter or digit, and is not base or root"
        )
    if name.lower() in {kernel.lower() for kernel in context.kernels}:
        raise OwnError(f"release {context.release} has a kernel called {name}: choose another name")


def _check_module(module: str) -> None:
    try:
        loaded = subprocess.run(
            ["/bin/bash", "-c", _LOAD, "module", module],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_MODULE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise OwnError(f"module load {module} takes longer than {_MODULE_SECONDS} s") from None
    if loaded.returncode != 0:
        raise OwnError(f"module load {module} fails:\n{loaded.stderr.strip()}")


def _install_kernel(prefix: Path, kernel: Path, order: Order) -> None:
    """Make the kernel's directory apart, see it start, and rename it into place."""
    kernel.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".berth-", dir=kernel.parent))
    try:
        made = _written_by_ipykernel(prefix, staging, order)
        spec = json.loads((made / "kernel.json").read_text(encoding="utf-8"))
        command = spec["argv"]
        if order.modules:
            loads = "\n".join(f"module load {shlex.quote(module)}" for module in order.modules)
            (made / "wrapper.sh").write_text(_WRAPPER.format(loads=loads), encoding="utf-8")
            (made / "wrapper.sh").chmod(0o755)
            spec["argv"] = [str(kernel / "wrapper.sh"), *command]
            command = [str(made / "wrapper.sh"), *command]
            (made / "kernel.json").write_text(json.dumps(spec, indent=1) + "\n", encoding="utf-8")
        probe.answer(command)
        made.rename(kernel)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _written_by_ipykernel(prefix: Path, staging: Path, order: Order) -> Path:
    command = [str(prefix / "bin" / "python"), "-m", "ipykernel", "install", "--prefix", str(staging)]
    names = ["--name", order.name, "--display-name", order.display_name]
    try:
        result = subprocess.run(
            [*command, *names],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
            env={**conda.environment(), "TMPDIR": str(staging)},  # it leaves an empty directory there
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OwnError(f"ipykernel of the environment cannot be run: {error}") from error
    if result.returncode != 0:
        raise OwnError(f"ipykernel of the environment does not work:\n{result.stderr.strip()[-2000:]}")
    (made,) = (staging / "share" / "jupyter" / "kernels").iterdir()
    return made
