"""Publish installed releases: check each environment, write its kernel, then rename the index.

Runs on the host that holds the releases, with the standard library only. What is installed says so
itself: `<root>/<release>/release.json` and `<root>/<release>/<environment>.json`, written by role
`releases` after the environment's installation. A kernel directory is named by the digest of its
content and never changed; the index is replaced by a rename, so nobody ever reads half of one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from berth.releases import catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CHECK_SECONDS: Final = 120
# In the environment's own interpreter: does the kernel import, and what is installed?
_PROBE: Final = """
import importlib.metadata, json, platform, sys
import ipykernel.kernelapp
packages = {name: importlib.metadata.version(name) for name in sys.argv[1:]}
print(json.dumps({"python": platform.python_version(), **packages}))
"""

# What `python -m ipykernel_launcher` does, but for one thing: ipykernel would listen on a TCP port of
# loopback, for what forked children print. Nodes are shared, so nothing listens there (design: unix sockets
# only); ipykernel itself goes on like this where it finds no free port. Programs started by subprocess are
# not concerned.
_LAUNCH: Final = """
import sys
del sys.path[0]
from ipykernel import iostream, kernelapp
def no_pipe(thread): thread._pipe_flag = False
iostream.IOPubThread._setup_pipe_in = no_pipe
kernelapp.launch_new_instance()
""".strip()


class PublishError(Exception):
    """A release is not fit to be published; the text is a sentence for an admin."""


@dataclass(frozen=True)
class _Kernel:
    name: str
    spec: Mapping[str, object]
    logos: Path


def publish(
    root: Path, names: Sequence[str], layers_dir: Path, layers: Mapping[str, str], *, check: bool
) -> bool:
    """Publish exactly the named releases below `root`; say whether the index changes.

    `layers` gives releases another layer than their own (a patched one). With `check` nothing is
    written. Raises PublishError, before anything is published, if any of them is not fit.
    """
    index = root / "index.json"
    known = _published(index)
    entries = [_release(root, name, layers.get(name), known, check=check) for name in names]
    for entry in entries:
        if not (layers_dir / entry["layer"] / "bin" / "berth-session").is_file():
            raise PublishError(f"release {entry['name']}: its layer {entry['layer']} is not in {layers_dir}")
    document = {"version": catalogue.VERSION, "releases": entries}
    try:
        catalogue.parse(document)
    except catalogue.CatalogueError as error:
        raise PublishError(f"the releases do not make a valid index: {error}") from error
    text = json.dumps(document, indent=2, sort_keys=True) + "\n"
    changed = not index.is_file() or index.read_text(encoding="utf-8") != text
    if changed and not check:
        _replace(index, text)
    return changed


def _published(index: Path) -> dict[str, dict[str, str]]:
    """Give the packages, by prefix, of what is published: it was checked, and it does not change."""
    try:
        releases = catalogue.load(index)
    except catalogue.CatalogueError:
        return {}  # none yet, or none that can be used: everything is checked
    return {
        environment.prefix: dict(environment.packages)
        for release in releases
        for environment in release.environments
    }


def _release(
    root: Path, name: str, layer: str | None, known: Mapping[str, dict[str, str]], *, check: bool
) -> dict[str, Any]:
    spec = _read(root / name / "release.json")
    environments = []
    kernels = []
    for environment in spec["environments"]:
        installed = _read(root / name / f"{environment}.json")
        versions = known.get(installed["prefix"], {})
        if versions.keys() != {"python", *installed["packages"]}:
            versions = _probe(Path(installed["prefix"]), installed["packages"])
        display_name = installed["display_name"].format(python=".".join(versions["python"].split(".")[:2]))
        environments.append(
            {
                "name": environment,
                "display_name": display_name,
                "language": "python",
                "kernel": installed["kernel"],
                "prefix": installed["prefix"],
                "packages": versions,
            }
        )
        kernels.append(_kernel(name, installed, display_name))
    return {
        "name": name,
        "date": spec["date"],
        "layer": layer or spec["layer"],
        "environments": environments,
        "jupyter_path": str(_write_kernels(root / name, kernels, check=check)),
        "conda": None,
        "ends": None,
        "hidden": False,
        "bytes": 0,
        "files": 0,
        "contents": str(root / name / "contents.json"),
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PublishError(f"{path} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise PublishError(f"{path} must hold a mapping")
    return document


def _probe(prefix: Path, packages: Sequence[str]) -> dict[str, str]:
    command = [str(prefix / "bin" / "python"), "-I", "-c", _PROBE, *packages]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=_CHECK_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PublishError(f"the interpreter of {prefix} cannot be run: {error}") from error
    if result.returncode != 0:
        reason = result.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise PublishError(f"the environment {prefix} does not work: {reason[0]}")
    versions: dict[str, str] = json.loads(result.stdout)
    return versions


def _kernel(release: str, installed: Mapping[str, Any], display_name: str) -> _Kernel:
    prefix = Path(installed["prefix"])
    spec = {
        # -s: a pinned environment does not look into ~/.local, which changes behind its back.
        "argv": [str(prefix / "bin" / "python"), "-s", "-c", _LAUNCH, "-f", "{connection_file}"],
        "display_name": display_name,
        "language": "python",
        "metadata": {"berth_release": release},
    }
    return _Kernel(installed["kernel"], spec, prefix / "share" / "jupyter" / "kernels" / "python3")


def _write_kernels(directory: Path, kernels: Sequence[_Kernel], *, check: bool) -> Path:
    content = json.dumps([[kernel.name, kernel.spec] for kernel in kernels], sort_keys=True)
    place = directory / hashlib.sha256(content.encode()).hexdigest()[:12]
    jupyter_path = place / "share" / "jupyter"
    if place.is_dir() or check:
        return jupyter_path
    staging = Path(tempfile.mkdtemp(prefix=".kernels-", dir=directory))
    try:
        for kernel in kernels:
            target = staging / "share" / "jupyter" / "kernels" / kernel.name
            target.mkdir(parents=True)
            for logo in sorted(kernel.logos.glob("logo*")):
                shutil.copyfile(logo, target / logo.name)
            (target / "kernel.json").write_text(json.dumps(kernel.spec, indent=1) + "\n", encoding="utf-8")
        staging.chmod(0o755)
        staging.rename(place)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return jupyter_path


def _replace(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(prefix=".index-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
