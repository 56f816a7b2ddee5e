"""conda 24.7.1: all of its Python is in conda-lock's wheel; its shell scripts are ours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.releases.channel.package import PLACEHOLDER, File, Link, Package
from tests.releases.channel.wheel import PYTHON
from tests.releases.channel.work import HERE, pins

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.releases.channel.work import Work

COPY = "conda_lock/_vendor/conda/"
MODULES = f"lib/python{PYTHON}/site-packages"
# Called `vendor` in comments and error texts, `_vendor` in imports.
IMPORT = re.compile(rb"conda_lock\._?vendor\.conda")
SCRIPTS = HERE / "files/conda"
EDITS = [
    # Its own choice is a solver that is a package of its own, which PyPI has not.
    ("base/constants.py", b'DEFAULT_SOLVER = "libmamba"', b'DEFAULT_SOLVER = "classic"'),
    # `conda init` compares what is installed with scripts for every shell: ours are for POSIX shells only,
    # and there already.
    (
        "core/initialize.py",
        b"    plan = make_install_plan(conda_prefix)\n    shells =",
        b"    plan = []\n    shells =",
    ),
]
DEPENDS = (
    "archspec >=0.2.3",
    "boltons >=23.0.0",
    "charset-normalizer",
    "conda-package-handling >=2.2.0",
    "conda-package-streaming >=0.9.0",
    "distro >=1.5.0",
    "frozendict >=2.4.2",
    "jsonpatch >=1.32",
    "packaging >=23.0",
    "platformdirs >=3.10.0",
    "pluggy >=1.0.0",
    "pycosat >=0.6.3",
    f"python >={PYTHON},<3.12.0a0",
    "requests >=2.28.0,<3",
    "ruamel.yaml >=0.11.14",
    "setuptools >=60.0.0",
    "tqdm >=4",
    "truststore >=0.8.0",
    "zstandard >=0.19.0",
)


def packages(work: Work) -> Iterator[Package]:
    """Yield `conda`."""
    (wheel,) = work.wheels(*pins("vendored"))
    modules = {
        name.removeprefix(COPY): IMPORT.sub(b"conda", data) if name.endswith(".py") else data
        for name, data, _ in wheel.entries()
        if name.startswith(COPY)
    }
    for name, old, new in EDITS:
        modules[name] = _replaced(modules[name], old, new)
    version = re.search(rb"version = '([\d.]+)'", modules["_version.py"])
    if version is None:
        raise ValueError("conda's _version.py does not name its version")
    files: dict[str, File | Link] = {f"{MODULES}/conda/{name}": File(data) for name, data in modules.items()}
    yield Package(
        name="conda",
        version=f"{version[1].decode()}+lab",
        files=files | _scripts() | _metadata(version[1].decode()),
        depends=DEPENDS,
        license="BSD-3-Clause",
        summary="OS-agnostic, system-level binary package and environment manager",
        origin={"wheel": wheel.path.name},
    )


def _scripts() -> dict[str, File | Link]:
    shell = f"{MODULES}/conda/shell"
    command = File(_script("conda"), executable=True)
    profile = (SCRIPTS / "conda.sh").read_bytes()
    return {
        "bin/activate": File(_script("activate"), executable=True),
        "bin/conda": command,
        "bin/deactivate": File(_script("deactivate"), executable=True),
        "condabin/conda": command,
        "etc/profile.d/conda.sh": File(_script("exports.sh") + profile),
        # `conda shell.bash hook` prints it after exports of its own.
        f"{shell}/etc/profile.d/conda.sh": File(profile),
    }


def _metadata(version: str) -> dict[str, File | Link]:
    information = f"{MODULES}/conda-{version}.dist-info"
    told = {
        "INSTALLER": "conda\n",
        "METADATA": f"Metadata-Version: 2.1\nName: conda\nVersion: {version}\nLicense: BSD-3-Clause\n",
        "entry_points.txt": "[console_scripts]\nconda = conda.cli.main_pip:main\n",
    }
    return {f"{information}/{name}": File(text.encode()) for name, text in told.items()}


def _script(name: str) -> bytes:
    return _replaced((SCRIPTS / name).read_bytes(), b"@PREFIX@", PLACEHOLDER.encode())


def _replaced(data: bytes, old: bytes, new: bytes) -> bytes:
    if old not in data:
        raise ValueError(f"{old!r} is not where it was: the recipe of conda is out of date")
    return data.replace(old, new)
