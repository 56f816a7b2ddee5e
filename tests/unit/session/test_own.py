"""Kernels that cannot start say why, what is prepared in the home is told, and nobody's Python leaks in."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.session.conftest import Layer, Session, started, until
from tests.unit.session.standin import Running
from tests.unit.session.test_session import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

DIALOG = 80
"""Characters of a line that JupyterLab's dialog shows in a window of usual width."""
HOOK = """#!/bin/sh
touch "$HOME/started"
while [ ! -e "$HOME/go" ]; do sleep 0.05; done
test ! -e "$HOME/broken" || exit 1
echo prepared > "$1/result"
"""


def kernel_json(place: Path, *argv: str, name: str) -> None:
    place.mkdir(parents=True)
    document = {"argv": argv, "display_name": name, "language": "python"}
    (place / "kernel.json").write_text(json.dumps(document), encoding="utf-8")


def launch(python: str) -> list[str]:
    return [python, "-s", "-m", "ipykernel_launcher", "-f", "{connection_file}"]


def release_with_julia(layer: Layer) -> Path:
    """An index whose release has an environment that is prepared in the home; its kernel is a Python."""
    root = layer.index.parent / "prepared"
    prefix = root / "julia-0123"
    hook = prefix / "libexec" / "berth" / "prepare"
    hook.parent.mkdir(parents=True)
    hook.write_text(HOOK, encoding="utf-8")
    hook.chmod(0o755)
    described = {
        "directory": ".julia/berth",
        "environment": {"DEPOT": "{home}/.julia:{final}.depot:{prefix}"},
    }
    hook.with_suffix(".json").write_text(json.dumps(described), encoding="utf-8")
    kernel = root / "jupyter/kernels/julia-1.9"
    kernel_json(kernel, str(kernel / "start"), *launch(sys.executable), name="Julia 1.9")
    # As the tool writes it, with an environment that sets the same variable when it is activated.
    (kernel / "start").write_text('#!/bin/bash\nexport DEPOT=read-only\nexec "$@"\n', encoding="utf-8")
    (kernel / "start").chmod(0o755)
    document = json.loads(layer.index.read_text(encoding="utf-8"))
    (release,) = document["releases"]
    release["jupyter_path"] = str(root / "jupyter")
    julia = {"name": "julia", "display_name": "Julia 1.9", "language": "julia", "kernel": "julia-1.9"}
    release["environments"].append({**julia, "prefix": str(prefix), "packages": {}})
    (root / "index.json").write_text(json.dumps(document), encoding="utf-8")
    return root / "index.json"


@pytest.fixture(scope="module")
def session(layer: Layer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A session of a user with kernels of all kinds, areas, and files that could get in the way."""
    own = layer.home / ".local/share/jupyter/kernels"
    kernel_json(own / "good", *launch(sys.executable), name="Good")
    kernel_json(own / "gone", *launch("/gone/envs/x/bin/python"), name="Gone")
    (own / "torn").mkdir()
    (own / "torn/kernel.json").write_text("{", encoding="utf-8")
    hostile = layer.home / "hostile"
    hostile.mkdir()
    for name in ("ipykernel", "json"):
        (hostile / f"{name}.py").write_text("raise SystemExit('hostile')\n", encoding="utf-8")
    (hostile / "startup.py").write_text("hostile_startup = True\n", encoding="utf-8")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    packages = layer.home / f".local/lib/python{version}/site-packages"
    packages.mkdir(parents=True)
    (packages / "ipykernel.py").write_text("raise SystemExit('hostile')\n", encoding="utf-8")
    for account in ("proj_a", "proj_b"):
        (layer.etc.parent / "work" / account / "alice").mkdir(parents=True)
    layer.settings(work=f"{layer.etc.parent}/work/{{account}}/{{user}}")
    (layer.etc / "profile.sh").write_text("export DATA=$WORK/data\n", encoding="utf-8")
    changed = {
        "BERTH_RELEASES_INDEX": str(release_with_julia(layer)),
        "SLURM_JOB_ACCOUNT": "proj_b",
        "PYTHONPATH": str(hostile),
        "PYTHONSTARTUP": str(hostile / "startup.py"),
        "PYTHONHOME": "/nowhere",
    }
    hub = Running()
    try:
        with started(layer, hub, tmp_path_factory.mktemp("own") / "output", **changed) as session:
            until(hub.hub.ready.is_set, session)
            yield session
    finally:
        hub.stop()


def names(session: Session) -> dict[str, str]:
    """What the launcher shows, by kernel."""
    _, text, _ = session.get("api/kernelspecs")
    return {name: item["spec"]["display_name"] for name, item in json.loads(text)["kernelspecs"].items()}


def refusal(session: Session, kernel: str) -> str:
    """What a click on a kernel that cannot start is answered with, in lines as the dialog shows them."""
    model: dict[str, Any] = {
        "kernel": {"name": kernel},
        "name": "x",
        "path": f"{kernel}.ipynb",
        "type": "notebook",
    }
    status, text, _ = session.get("api/sessions", method="POST", data=json.dumps(model).encode())
    assert status == 500, text
    said = str(json.loads(text)["message"])
    status, text, _ = session.get("api/kernels", method="POST", data=json.dumps({"name": kernel}).encode())
    assert (status, json.loads(text)["message"]) == (500, said)
    return said


def in_one_line(said: str) -> str:
    """A sentence without its line breaks."""
    return " ".join(said.split())


def test_a_kernel_that_cannot_start_says_so_in_its_name(session: Session) -> None:
    shown = names(session)
    assert shown["good"] == "Good"
    assert shown["gone"] == "Gone (cannot start)"
    assert shown["torn"] == "torn (cannot start)"


def test_starting_it_is_refused_with_the_reason(session: Session) -> None:
    gone = in_one_line(refusal(session, "gone"))
    assert gone.startswith("Gone cannot start: /gone/envs/x/bin/python is gone: the environment was removed")
    assert "kernel.json is not valid JSON" in in_one_line(refusal(session, "torn"))
    assert [item for item in json.loads(session.get("api/kernels")[1]) if item["name"] != "good"] == []


def test_the_reason_fits_into_the_dialog_and_no_path_is_torn(session: Session) -> None:
    said = refusal(session, "gone")
    assert len(said.splitlines()) > 1
    assert [line for line in said.splitlines() if len(line) > DIALOG] == []
    assert "/gone/envs/x/bin/python" in said


def test_nobody_s_modules_and_start_up_file_reach_a_kernel(session: Session) -> None:
    kernel = Kernel(session, "good")
    try:
        variables = kernel.value("{k: v for k, v in __import__('os').environ.items()}")
        assert [name for name in variables if name.startswith("PYTHON")] == []
        assert kernel.value("'hostile_startup' in globals()") is False
    finally:
        kernel.client.stop_channels()


def test_kernels_and_terminals_know_the_areas_of_the_account_and_the_release(session: Session) -> None:
    kernel = Kernel(session, "good")
    try:
        variables: dict[str, str] = kernel.value("dict(__import__('os').environ)")
    finally:
        kernel.client.stop_channels()
    place = session.layer.etc.parent / "work/proj_b/alice"
    assert variables["WORK"] == str(place)
    assert variables["DATA"] == f"{place}/data"
    assert variables["BERTH_CONDA"] == ""
    assert variables["BERTH_RELEASE"] == "2026.11"
    assert Path(variables["BERTH_RELEASES_INDEX"]).is_file()
    assert variables["PATH"].split(":")[-1] == variables["BERTH_TOOLS"]
    assert "SLURM_JOB_ACCOUNT" not in variables


def test_links_to_the_areas_are_in_the_home(session: Session) -> None:
    home = session.layer.home
    place = str(session.layer.etc.parent / "work/proj_b/alice")
    until((home / "work-proj_b").is_symlink, session)
    assert [str((home / name).readlink()) for name in ("work", "work-proj_b")] == [place, place]
    assert not (home / "scratch").is_symlink()


def test_an_environment_that_is_being_prepared_says_so_and_then_works(session: Session) -> None:
    home = session.layer.home
    until((home / "started").exists, session)
    assert names(session)["julia-1.9"] == "Julia 1.9 (being prepared)"
    said = in_one_line(refusal(session, "julia-1.9"))
    assert said.startswith("Julia 1.9 is being prepared in your home")
    assert str(home / ".berth/log/prepare-julia-0123.log") in said
    (home / "go").touch()
    until(lambda: names(session)["julia-1.9"] == "Julia 1.9", session)
    kernel = Kernel(session, "julia-1.9")
    try:
        final, depot = kernel.value(
            "[__import__('os').environ[name] for name in ('BERTH_PREPARED', 'DEPOT')]"
        )
    finally:
        kernel.client.stop_channels()
    assert final == str(home / ".julia/berth/julia-0123")
    assert depot == f"{home}/.julia:{final}.depot:{session.layer.index.parent / 'prepared/julia-0123'}"
    assert (Path(final) / "result").read_text(encoding="utf-8") == "prepared\n"
