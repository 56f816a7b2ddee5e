"""The peers' programs and our own small ones, on the file system that all machines of the lab share."""

from __future__ import annotations

import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Final

from tests.bench.stage import login
from tests.lab.machines import ROOT

PREFIX: Final = "/opt/berth/bench"
"""Where the peers are; it stays for the next run, as installing them takes minutes."""
REMOTE: Final = f"{PREFIX}/remote"
"""Where the files of `tests/bench/remote` are."""


def install() -> None:
    """Install the peers from their hash lock, unless it was installed before."""
    machine, lock = login(), ROOT / "requirements/bench.txt"
    digest = sha256(lock.read_bytes()).hexdigest()
    if machine.attempt("grep", "-qx", digest, f"{PREFIX}/.complete").rc != 0:
        print("installing the peers ...", flush=True)
        machine.run("python3", "-m", "venv", "--clear", PREFIX)
        _copy(lock, f"{PREFIX}/lock.txt")
        bundle = "if [ -e /etc/ssl/lab-ca-bundle.pem ]; then export PIP_CERT=/etc/ssl/lab-ca-bundle.pem; fi; "
        machine.shell(f"{bundle}{PREFIX}/bin/pip install --quiet --require-hashes -r {PREFIX}/lock.txt")
        machine.shell(
            f"{PREFIX}/bin/python -m compileall -q {PREFIX}/lib; echo {digest} > {PREFIX}/.complete"
        )
    machine.run("rm", "-rf", REMOTE)
    _copy(Path(__file__).with_name("remote"), REMOTE)
    machine.run("chmod", "-R", "a+rX", REMOTE)
    machine.run("chmod", "a+x", f"{REMOTE}/stand_in.py")


def _copy(source: Path, target: str) -> None:
    subprocess.run(
        ["docker", "cp", str(source), f"{login().container}:{target}"], check=True, capture_output=True
    )
