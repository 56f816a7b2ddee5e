from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.cluster import CLUSTER
from tests.lab.machines import ROOT
from tests.lab.notebook import CellError, Kernel
from tests.lab_releases.kernels import KERNELS
from tests.lab_releases.preparing import KERNEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.sessions import Session

# TensorFlow and Ray take their time on two shared cores.
CELL_SECONDS = 180.0
SUITES = "/tmp/berth-suites"  # noqa: S108 - a container's own, removed afterwards
# What every kernel has to pass; the rest is what its language does not leave out.
ALWAYS = {"test_kernel_info", "test_execute_stdout", "test_execute_stderr", "test_error"}
GPUS = """\
import errno, glob, os
for path in sorted(glob.glob("/dev/nvidia[0-9]*")):
    try:
        os.close(os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError as error:
        print(path, errno.errorcode[error.errno])
    else:
        print(path, "open")
print(os.environ.get("CUDA_VISIBLE_DEVICES"))
"""


@pytest.fixture(scope="module")
def suites(session: Session, release: dict[str, Any]) -> Iterator[list[str]]:
    """The command of the suites: an environment that alice makes herself with the release's conda."""
    node, name = session.node, session.visitor.name
    wanted = ["jupyter-kernel-test", "-c", "conda-forge", "--override-channels"]
    try:
        node.run(
            f"{release['conda']}/bin/conda", "create", "--yes", "--quiet", "-p", SUITES, *wanted, user=name
        )
        text = (ROOT / "tests/releases/suites.py").read_text(encoding="utf-8")
        node.run("sh", "-c", f'printf %s "$1" > {SUITES}/suites.py', "sh", text, user=name)
        paths = f"JUPYTER_PATH={release['jupyter_path']}"
        yield ["env", paths, f"{SUITES}/bin/python", f"{SUITES}/suites.py"]
    finally:
        node.run("rm", "-rf", SUITES)


def test_the_launcher_has_every_kernel_of_the_release(session: Session) -> None:
    offered = session.visitor.lab("GET", "kernelspecs").raise_for_status().json()["kernelspecs"]
    assert set(KERNELS) <= set(offered)


@pytest.mark.parametrize("name", KERNELS)
def test_a_cell_runs(session: Session, name: str) -> None:
    with Kernel.start(session.visitor, name) as kernel:
        assert kernel.run(KERNELS[name].cell, CELL_SECONDS) == KERNELS[name].printed


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_sees_exactly_the_gpus_of_the_job(session: Session, name: str) -> None:
    node, path = session.node, "/tmp/berth-gpus.py"  # noqa: S108 - a container's own
    node.run("sh", "-c", f'printf %s "$1" > {path}', "sh", GPUS)
    granted = f"/dev/nvidia{session.job['GRES'].partition('IDX:')[2][0]}"
    (described,) = (entry for entry in CLUSTER if entry.name == node.name)
    expected = [f"{device} {'open' if device == granted else 'EPERM'}" for device in described.all_devices]
    with Kernel.start(session.visitor, name) as kernel:
        printed = kernel.run(KERNELS[name].language.shell.replace("@", f"python3 {path}"), CELL_SECONDS)
    assert printed.splitlines() == [*expected, "0"]


@pytest.mark.parametrize("name", ["c", "cpp", "julia", "ir"])
def test_a_cell_that_fails_says_why_and_spoils_nothing(session: Session, name: str) -> None:
    failing = {"ir": "stop('told')", "julia": 'error("told")'}.get(name, "int told = nowhere;")
    with Kernel.start(session.visitor, name) as kernel:
        kernel.run(KERNELS[name].cell, CELL_SECONDS)
        with pytest.raises(CellError, match=r"told|nowhere"):
            kernel.run(failing, CELL_SECONDS)
        printed = kernel.run(KERNELS[name].language.shell.replace("@", "echo again"), CELL_SECONDS)
    assert printed == "again"


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_passes_the_protocol_s_own_suite(session: Session, suites: list[str], name: str) -> None:
    language = KERNELS[name].language
    # The suite starts kernels by itself: what the session adds to a prepared one's command, it is given.
    given = _variables(session) if name == KERNEL else []
    asked = ["env", *given, *suites, name, language.name, language.suite]
    printed = session.node.run(*asked, user=session.visitor.name)
    outcome = json.loads(printed.splitlines()[-1])
    assert outcome["failed"] == {}
    assert outcome["left_out"] == language.left_out
    assert set(outcome["passed"]) >= ALWAYS


def _variables(session: Session) -> list[str]:
    """The variables that Julia's kernels have of their preparation."""
    with Kernel.start(session.visitor, KERNEL) as kernel:
        names = 'filter(name -> startswith(name, "JULIA_"), keys(ENV))'
        return kernel.run(f'for name in {names} println(name, "=", ENV[name]) end', CELL_SECONDS).splitlines()
