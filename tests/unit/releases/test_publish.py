"""Publishing checks what is installed, writes its kernels, and replaces the index in one step."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from jupyter_client.manager import KernelManager

from berth.releases import catalogue
from berth.releases.publish import PublishError, publish

LAYER = "4.6-1"


def install(root: Path, name: str = "2026.11", *, interpreter: str = sys.executable) -> Path:
    """Make what role `releases` leaves behind for one release; give the prefix of its environment."""
    prefix = root / name / "python-0123456789ab"
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin" / "python").write_text(f'#!/bin/sh\nexec {interpreter} "$@"\n', encoding="utf-8")
    (prefix / "bin" / "python").chmod(0o755)
    environment = {
        "prefix": str(prefix),
        "kernel": "python3",
        "display_name": "Python {python}",
        "packages": ["ipykernel"],
    }
    (root / name / "python.json").write_text(json.dumps(environment), encoding="utf-8")
    note = {"date": "2026-11-16", "layer": LAYER, "environments": ["python"]}
    (root / name / "release.json").write_text(json.dumps(note), encoding="utf-8")
    return prefix


@pytest.fixture
def layers(tmp_path: Path) -> Path:
    directory = tmp_path / "layers"
    (directory / LAYER / "bin").mkdir(parents=True)
    (directory / LAYER / "bin" / "berth-session").touch()
    return directory


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "releases"
    root.mkdir()
    install(root)
    return root


def test_a_release_is_published_once(root: Path, layers: Path) -> None:
    assert publish(root, ["2026.11"], layers, {}, check=False)
    (release,) = catalogue.load(root / "index.json")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert release.environments[0].display_name == f"Python {version}"
    assert release.environments[0].packages["ipykernel"]
    spec = Path(release.jupyter_path) / "kernels" / "python3" / "kernel.json"
    assert json.loads(spec.read_text(encoding="utf-8"))["display_name"] == f"Python {version}"
    assert (root / "index.json").stat().st_mode & 0o777 == 0o644
    assert not publish(root, ["2026.11"], layers, {}, check=False)


def test_a_check_says_what_would_change_and_writes_nothing(root: Path, layers: Path) -> None:
    before = sorted(root.rglob("*"))
    assert publish(root, ["2026.11"], layers, {}, check=True)
    assert sorted(root.rglob("*")) == before


def test_adding_one_touches_no_other_and_leaving_one_out_retires_it(root: Path, layers: Path) -> None:
    publish(root, ["2026.11"], layers, {}, check=False)
    old = {path: path.stat().st_mtime_ns for path in (root / "2026.11").rglob("*")}
    install(root, "2027.05")
    assert publish(root, ["2027.05", "2026.11"], layers, {}, check=False)
    assert {path: path.stat().st_mtime_ns for path in (root / "2026.11").rglob("*")} == old
    assert publish(root, ["2027.05"], layers, {}, check=False)
    assert [release.name for release in catalogue.load(root / "index.json")] == ["2027.05"]
    assert {path: path.stat().st_mtime_ns for path in (root / "2026.11").rglob("*")} == old


def test_what_is_published_is_not_run_again(root: Path, layers: Path) -> None:
    publish(root, ["2026.11"], layers, {}, check=False)
    (root / "2026.11" / "python-0123456789ab" / "bin" / "python").unlink()
    assert not publish(root, ["2026.11"], layers, {}, check=False)


def test_a_patched_layer_takes_the_place_of_the_release_s_own(root: Path, layers: Path) -> None:
    (layers / LAYER).rename(layers / "4.6-2")
    with pytest.raises(PublishError, match=r"its layer 4\.6-1 is not in"):
        publish(root, ["2026.11"], layers, {}, check=False)
    assert not (root / "index.json").exists()
    publish(root, ["2026.11"], layers, {"2026.11": "4.6-2"}, check=False)
    assert catalogue.load(root / "index.json")[0].layer == "4.6-2"


@pytest.mark.parametrize(
    ("interpreter", "sentence"), [("/bin/false", "does not work"), ("/nowhere/python", "does not work")]
)
def test_an_environment_that_does_not_work_is_not_published(
    root: Path, layers: Path, interpreter: str, sentence: str
) -> None:
    publish(root, ["2026.11"], layers, {}, check=False)
    before = (root / "index.json").read_text(encoding="utf-8")
    install(root, "2027.05", interpreter=interpreter)
    with pytest.raises(PublishError, match=sentence):
        publish(root, ["2027.05", "2026.11"], layers, {}, check=False)
    assert (root / "index.json").read_text(encoding="utf-8") == before


def test_a_release_that_is_not_installed_is_named(root: Path, layers: Path) -> None:
    with pytest.raises(PublishError, match=r"1999\.01/release\.json cannot be read"):
        publish(root, ["1999.01"], layers, {}, check=False)


def test_the_command_says_whether_it_changed_anything(root: Path, layers: Path) -> None:
    command = [sys.executable, "-m", "berth.releases", "publish", "--root", str(root)]
    command += ["--layers-dir", str(layers), "2026.11"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    said = [
        subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    ]
    assert said == ["changed\n", "unchanged\n"]


def listening(pid: int) -> list[str]:
    """Local addresses, in the kernel's notation, on which the process listens over TCP."""
    sockets = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        target = str(entry.readlink())
        if target.startswith("socket:["):
            sockets.add(target[8:-1])
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text(encoding="utf-8").splitlines()]
    return [row[1] for row in rows[1:] if row[3] == "0A" and row[9] in sockets]


@pytest.mark.slow
def test_a_published_kernel_runs_and_listens_on_no_port(
    root: Path, layers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(root, ["2026.11"], layers, {}, check=False)
    (release,) = catalogue.load(root / "index.json")
    monkeypatch.setenv("JUPYTER_PATH", release.jupyter_path)
    place = Path(f"/tmp/k-{os.getpid()}-{time.monotonic_ns() % 10**6}")  # noqa: S108 - sockets need short paths
    place.mkdir(mode=0o700)
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(place))
    manager = KernelManager(
        kernel_name="python3", transport="ipc", connection_file=str(place / "kernel.json")
    )
    manager.start_kernel()
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=90)
        printed: list[str] = []
        client.execute_interactive(
            "import os; print(os.getpid())",
            timeout=60,
            output_hook=lambda message: printed.append(message["content"].get("text", "")),
        )
        pid = int("".join(printed))
        assert listening(pid) == []
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        subprocess.run(["rm", "-rf", str(place)], check=True)
