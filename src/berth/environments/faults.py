"""What keeps a kernel from starting, found without starting it, as a sentence that says what helps."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from berth.environments.own import Kernel

_PROBE_SECONDS: Final = 60
_HEAD: Final = 4096
_WRAPPER_BYTES: Final = 200_000
_SHELL: Final = re.compile(rb"#!\s*\S*/(env\s+)?(ba|da|k|z)?sh\b")
_HANDS_OVER: Final = re.compile(rb'^\s*exec\s+"\$@"', re.MULTILINE)
_USES_ARGUMENTS: Final = re.compile(rb"\$\{?[@*1-9]")
_LOADS_MODULES: Final = re.compile(rb"^[ \t]*module[ \t]", re.MULTILINE)
_READS_A_FILE: Final = re.compile(rb"^[ \t]*\.[ \t]", re.MULTILINE)
# They read no BASH_ENV and take no functions from the environment; where sh is bash, it takes them.
_WITHOUT_MODULE: Final = frozenset({"ash", "busybox", "dash"})
_HAS_MODULE: Final = "import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)"


@dataclass(frozen=True)
class Releases:
    """Where releases are, and which of them are installed: kernels of retired ones are told apart."""

    root: Path
    installed: frozenset[str]

    def retired(self, path: Path) -> str | None:
        """Give the name of the release that a path belongs to, if that release is not installed."""
        try:
            name = path.relative_to(self.root).parts[0]
        except (ValueError, IndexError):
            return None
        return None if name in self.installed else name


def fault(kernel: Kernel, releases: Releases, *, ask: bool = True) -> str | None:
    """Say why a kernel cannot start; None where nothing is known to be wrong.

    Looks at files only; but with `ask`, where `ipykernel` is not seen at its place, the interpreter is asked.
    """
    if kernel.unreadable:
        return kernel.unreadable
    program = kernel.argv[0]
    if not program.startswith("/"):
        return _unresolved(program, kernel)
    problem = _program(Path(program), releases) or _behind(kernel, releases)
    return problem or (_python(kernel) if ask else None)


def warning(kernel: Kernel, releases: Releases) -> str | None:
    """Say what will keep a kernel from starting one day, or keeps parts of it from working."""
    interpreter = kernel.interpreter
    if interpreter is None:
        return None
    retired = releases.retired(Path(os.path.realpath(interpreter)))
    if retired is not None:
        return f"it runs on release {retired}, which is retired: make it anew under another release"
    moved = _moved_from(interpreter)
    if moved is not None:
        return f"its environment was moved from {moved}, and its programs still look there: make it anew"
    return _no_module(Path(kernel.argv[0]))


def _unresolved(program: str, kernel: Kernel) -> str | None:
    path = kernel.directory / "kernel.json"
    if "/" in program or program.startswith(("~", "$")):
        return f"{path}: {program!r} must be written as a full path, variables and ~ are not replaced there"
    if shutil.which(program) is None:
        return f"{path}: there is no command {program!r}; write the full path of the interpreter"
    return None


def _program(path: Path, releases: Releases) -> str | None:
    if not path.exists():
        target = Path(os.path.realpath(path))
        retired = releases.retired(target)
        if retired is not None:
            return f"{path} belonged to release {retired}, which is retired; make the environment anew"
        if path.is_symlink():
            return f"{path} leads to {target}, which is gone; make the environment anew"
        return f"{path} is gone: the environment was removed or moved; make it anew, or remove its kernel"
    if path.is_dir():
        return f"{path} is a directory, not a program"
    if not os.access(path, os.X_OK):
        return f"{path} is not executable; chmod +x {path} makes it so"
    return _shebang(path)


def _shebang(path: Path) -> str | None:
    with path.open("rb") as file:
        first = file.read(_HEAD).split(b"\n", 1)[0]
    if not first.startswith(b"#!"):
        return None
    if first.endswith(b"\r"):
        return f"{path} has the line ends of Windows; sed -i 's/\\r$//' {path} mends it"
    words = first[2:].split()
    program = os.fsdecode(words[0]) if words else ""
    if not os.access(program, os.X_OK):
        return f"{path} is to be run by {program or 'nothing'}, which is not there: correct its first line"
    return None


def _behind(kernel: Kernel, releases: Releases) -> str | None:
    """Look at a wrapper, and at what it hands over to."""
    wrapper, behind = Path(kernel.argv[0]), kernel.interpreter
    with wrapper.open("rb") as file:
        text = file.read(_WRAPPER_BYTES)
    if b"\0" not in text and not text.startswith(b"#!") and b"module" in text:
        return f"{wrapper} must begin with the line #!/bin/bash"
    if behind is None or behind == wrapper:
        return None
    shell = _SHELL.match(text) is not None
    if shell and not _USES_ARGUMENTS.search(text):
        return f'{wrapper} never starts the kernel: its last line must be exec "$@"'
    # Any other program may take the second one for a file, which need not be executable.
    hands_over = shell and _HANDS_OVER.search(text) is not None
    return _program(behind, releases) if hands_over or not behind.exists() else None


def _no_module(wrapper: Path) -> str | None:
    try:
        with wrapper.open("rb") as file:
            text = file.read(_WRAPPER_BYTES)
    except OSError:
        return None
    # A file that it reads may define the command.
    if _SHELL.match(text) is None or not _LOADS_MODULES.search(text) or _READS_A_FILE.search(text):
        return None
    words = [os.fsdecode(word) for word in text.split(b"\n", 1)[0].removeprefix(b"#!").split()]
    shell = shutil.which(words[1]) if Path(words[0]).name == "env" else words[0]
    if shell is None or Path(os.path.realpath(shell)).name not in _WITHOUT_MODULE:
        return None
    return f"{wrapper} has no command module under {shell}: begin with #!/bin/bash"


def _python(kernel: Kernel) -> str | None:
    interpreter = kernel.interpreter
    if interpreter is None or not interpreter.name.startswith("python") or "-m" not in kernel.argv[:-1]:
        return None
    module = kernel.argv[kernel.argv.index("-m") + 1].partition(".")[0]
    prefix = interpreter.parents[1]
    if any(prefix.glob(f"lib/python3*/site-packages/{module}*")):
        return None
    try:
        found = subprocess.run(
            [str(interpreter), "-c", _HAS_MODULE, module],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{interpreter} cannot be run: {error}"
    if found.returncode == 0:
        return None
    if found.stderr.strip():
        return f"{interpreter} does not work: {found.stderr.strip().splitlines()[-1]}"
    package = "ipykernel" if module.startswith("ipykernel") else module
    return f"{package} is missing in {prefix}; conda install -p {prefix} {package} adds it"


def _moved_from(interpreter: Path) -> Path | None:
    prefix = interpreter.parents[1]
    for name in ("jupyter-kernelspec", "ipython", "pip"):
        try:
            with (prefix / "bin" / name).open("rb") as file:
                line = file.read(_HEAD).split(b"\n", 1)[0]
        except OSError:
            continue
        program = Path(os.fsdecode(line.removeprefix(b"#!").strip()))
        if line.startswith(b"#!/") and program.name.startswith("python"):
            written = program.parents[1]
            return None if written.resolve() == prefix.resolve() else written
    return None
