"""The kernels of a release: a directory for JUPYTER_PATH, named by the digest of its content.

Each kernel starts by a small script that makes its environment the active one. The directory is never
changed: another content is another directory beside it, and running sessions keep theirs.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from berth.releases.errors import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from berth.releases.lock import Lock
    from berth.releases.spec import EnvironmentSpec, ReleaseSpec

# What `python -m ipykernel_launcher` does, but for two things: ipykernel would listen on TCP ports of
# loopback, for what forked children print and for its debugger. Nodes are shared, so nothing listens there
# (design: unix sockets only); ipykernel itself goes on like this where it finds no free port, and no debugpy.
# Programs started by subprocess are not concerned. The tests' kernels (tests/releases/kernels) are installed
# where no berth is, and do the same once more.
_LAUNCH: Final = """
import sys
del sys.path[0]
from ipykernel import debugger
debugger._is_debugpy_available = False
from ipykernel import iostream, kernelapp
def no_pipe(thread): thread._pipe_flag = False
iostream.IOPubThread._setup_pipe_in = no_pipe
kernelapp.launch_new_instance()
""".strip()

_SCRIPT: Final = """\
#!/bin/bash
# Starts a kernel of release {release} as if its environment were active. Berth wrote this file; the site's
# profile (BASH_ENV) was read before it.
kernel=("$@")
{own}{modules}\
export CONDA_PREFIX={prefix} CONDA_DEFAULT_ENV={prefix} CONDA_SHLVL=1
{conda}\
for script in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do
  if [ -r "$script" ]; then . "$script"; fi
done
exec "${{kernel[@]}}"
"""
# A pinned environment does not look into the user's own packages, which change behind its back. R looks into
# a library of the user's wherever none is named; a directory that cannot be is named.
_OWN: Final = """\
unset PYTHONHOME PYTHONPATH PYTHONSTARTUP PYTHONUSERBASE R_LIBS
export PYTHONNOUSERSITE=1 R_LIBS_USER=/dev/null
"""
_MODULES: Final = """\
if ! command -v module >/dev/null; then
  echo "This kernel needs the modules {names}, and this node has no command module." >&2
  exit 1
fi
module load {names} || exit
"""
# IJulia is the user's own (~/.julia), prepared at the first login: no channel has it.
_JULIA: Final = ("-i", "--color=yes", "-e", "import IJulia; IJulia.run_kernel()")
_HERE: Final = b"@kernels@"

Files = dict[str, tuple[int, bytes]]
"""Content by path, with the mode."""


@dataclass(frozen=True)
class Kernel:
    """One environment with what is installed of it: all that its kernel is made of."""

    spec: EnvironmentSpec
    lock: Lock
    prefix: Path

    @property
    def display_name(self) -> str:
        """The name that users see: `{package}` in the spec stands for that package's major.minor."""
        return re.sub(r"\{([^{}]+)\}", self._version, self.spec.display_name)

    def _version(self, found: re.Match[str]) -> str:
        version = self.lock.version_of(found[1])
        if version is None:
            raise ReleaseError(
                f"{self.spec.name}: display_name names {found[1]}, which the lock does not hold"
            )
        return ".".join(version.split(".")[:2])


@dataclass(frozen=True)
class Kernels:
    """The kernels of a release, the prefix of its conda, and whether they see the user's own packages."""

    release: ReleaseSpec
    kernels: Sequence[Kernel]
    conda: Path | None
    user_site: bool

    def write(self, directory: Path, scratch: Path | None) -> Path:
        """Write them below `directory` unless they are there; give their place.

        They are written into `scratch` and renamed; without it nothing is written.
        """
        files = _files(self)
        place = directory / f"kernels-{_digest(files)}"
        if place.is_dir() or scratch is None:
            return place
        staging = Path(tempfile.mkdtemp(dir=scratch))
        for name, (mode, content) in files.items():
            path = staging / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.replace(_HERE, str(place).encode()))
            path.chmod(mode)
        staging.chmod(0o755)
        staging.rename(place)
        return place


def differences(place: Path) -> list[str]:
    """Compare a directory of kernels with the digest in its name."""
    files: Files = {
        str(path.relative_to(place)): (
            path.stat().st_mode & 0o777,
            path.read_bytes().replace(str(place).encode(), _HERE),
        )
        for path in sorted(place.rglob("*"))
        if path.is_file()
    }
    return [] if place.name == f"kernels-{_digest(files)}" else [f"{place}: is not what was published"]


def executable(kernel: Kernel, command: Sequence[str]) -> Path:
    """Give the program that a kernel's command starts; raises ReleaseError where there is none."""
    path = kernel.prefix / "bin" / command[0]  # an absolute one stands for itself
    if not path.is_file() or not path.stat().st_mode & 0o111:
        raise ReleaseError(
            f"{kernel.spec.name}: its kernel starts {command[0]}, which is not in {kernel.prefix}"
        )
    return path


def command(kernel: Kernel, *, user_site: bool) -> list[str]:
    """Give the command of a kernel, without the script that makes the environment active."""
    shipped = _shipped(kernel)
    if shipped:
        found: list[str] = shipped["argv"]
        return found
    if kernel.spec.language == "julia":
        return [str(kernel.prefix / "bin" / "julia"), *_JULIA, "{connection_file}"]
    options = [] if user_site else ["-s"]
    return [str(kernel.prefix / "bin" / "python"), *options, "-c", _LAUNCH, "-f", "{connection_file}"]


def _shipped(kernel: Kernel) -> dict[str, Any]:
    """Read the kernelspec that the environment itself ships; nothing for those that are started by ours."""
    path = _specs(kernel.prefix) / kernel.spec.kernel / "kernel.json"
    if kernel.spec.language == "python" or (kernel.spec.language == "julia" and not path.is_file()):
        return {}
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReleaseError(f"{kernel.spec.name}: it ships no kernel {kernel.spec.kernel}: {error}") from error
    return document


def _specs(prefix: Path) -> Path:
    return prefix / "share" / "jupyter" / "kernels"


def _files(release: Kernels) -> Files:
    files: Files = {}
    for kernel in release.kernels:
        name = f"share/jupyter/kernels/{kernel.spec.kernel}"
        files[f"{name}/start"] = (0o755, script(release, kernel).encode())
        shipped = _shipped(kernel)
        spec: dict[str, Any] = {
            **{key: shipped[key] for key in ("env", "interrupt_mode") if key in shipped},
            "argv": [f"{_HERE.decode()}/{name}/start", *command(kernel, user_site=release.user_site)],
            "display_name": kernel.display_name,
            "language": kernel.spec.language,
            "metadata": {**shipped.get("metadata", {}), "berth_release": release.release.name},
        }
        files[f"{name}/kernel.json"] = (0o644, json.dumps(spec, indent=1, sort_keys=True).encode() + b"\n")
        for logo, content in _logos(release.release, kernel).items():
            files[f"{name}/{logo}"] = (0o644, content)
    return files


def script(release: Kernels, kernel: Kernel) -> str:
    """Give the script that makes a kernel's environment active and starts the command it is given."""
    modules = " ".join(shlex.quote(name) for name in kernel.spec.modules)
    path = 'export PATH="$CONDA_PREFIX/bin:$PATH"\n'
    if release.conda is not None:
        here = shlex.quote(str(release.conda))
        path = f'export CONDA_EXE={here}/bin/conda PATH="$CONDA_PREFIX/bin:$PATH":{here}/condabin\n'
    return _SCRIPT.format(
        release=release.release.name,
        own="" if release.user_site else _OWN,
        modules=_MODULES.format(names=modules) if modules else "",
        prefix=shlex.quote(str(kernel.prefix)),
        conda=path,
    )


def _logos(release: ReleaseSpec, kernel: Kernel) -> Mapping[str, bytes]:
    if logo := kernel.spec.logo:
        name = "logo-svg.svg" if logo.endswith(".svg") else "logo-64x64.png"
        return {name: (release.directory / logo).read_bytes()}
    shipped = "python3" if kernel.spec.language == "python" else kernel.spec.kernel
    return {path.name: path.read_bytes() for path in sorted((_specs(kernel.prefix) / shipped).glob("logo*"))}


def _digest(files: Files) -> str:
    content = hashlib.sha256()
    for name, (mode, data) in sorted(files.items()):
        content.update(f"{name} {mode:o} {len(data)}\n".encode())
        content.update(data)
    return content.hexdigest()[:12]
