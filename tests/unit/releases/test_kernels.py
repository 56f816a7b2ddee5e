"""A published kernel starts as if its environment were active, and sees nothing of the user's own."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.manager import KernelManager

from berth.releases import catalogue
from berth.releases.errors import ReleaseError
from tests.unit.releases import channel
from tests.unit.releases.channel import Package
from tests.unit.releases.conftest import NAME, PYTHON, RELEASE, R

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.releases.conftest import Site


def kernels(site: Site) -> Path:
    (release,) = catalogue.load(site.root / "index.json")
    return Path(release.jupyter_path) / "kernels"


def spec(site: Site, kernel: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((kernels(site) / kernel / "kernel.json").read_text(encoding="utf-8"))
    return found


def started(site: Site, kernel: str, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a shell command in place of the kernel's own."""
    command = [spec(site, kernel)["argv"][0], "/bin/sh", "-c", script, "kernel"]
    variables = {"PATH": os.defpath, "HOME": str(site.place), **environment}
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


def test_a_kernel_s_environment_is_the_active_one(site: Site) -> None:
    site.apply()
    prefix, conda = site.prefix("r"), site.prefix("conda")
    said = started(
        site, "ir", 'echo "$PATH"; echo "$CONDA_PREFIX $CONDA_DEFAULT_ENV $CONDA_SHLVL $R_ACTIVE $0"'
    )
    path, active = said.stdout.splitlines()
    assert path.split(":")[0] == f"{prefix}/bin"
    assert path.split(":")[-1] == f"{conda}/condabin"
    assert active == f"{prefix} {prefix} 1 yes kernel", "and a script of activate.d cannot take its arguments"
    assert started(site, "ir", "conda list").stdout == f"conda list of {prefix}\n"


def test_a_kernel_that_the_environment_ships_is_started_by_its_own_command(site: Site) -> None:
    site.apply()
    kernel = spec(site, "ir")
    assert kernel["argv"][1:] == [str(site.prefix("r") / "bin/R"), "{connection_file}"]
    assert (kernel["display_name"], kernel["language"]) == ("R 4.3", "R")
    assert kernel["interrupt_mode"] == "message"
    assert (kernels(site) / "ir" / "logo-64x64.png").read_bytes() == b"\x89PNG"


def test_julia_starts_the_user_s_own_ijulia_where_its_package_ships_no_kernel(site: Site) -> None:
    channel.make(site.channel, Package("julia", "1.9.4", files={"bin/julia": "#!/bin/sh\n"}))
    site.write(r=R.replace("r-base", "julia").replace("language: R", "language: julia"))
    site.lock(NAME, "r")
    site.apply()
    kernel = spec(site, "ir")
    assert kernel["argv"][1] == str(site.prefix("r") / "bin/julia")
    assert kernel["argv"][-2:] == ["import IJulia; IJulia.run_kernel()", "{connection_file}"]


def test_a_release_may_bring_a_logo_of_its_own(site: Site) -> None:
    site.write(r=R + "    logo: r.svg\n")
    (site.settings.specs_dir / NAME / "r.svg").write_text("<svg/>", encoding="utf-8")
    site.apply()
    assert [path.name for path in (kernels(site) / "ir").glob("logo*")] == ["logo-svg.svg"]


LEAKS = {
    "PYTHONPATH": "/home/alice/modules",
    "PYTHONHOME": "/home/alice/python",
    "PYTHONSTARTUP": "/home/alice/.pythonrc",
    "R_LIBS": "/home/alice/R",
    "R_LIBS_USER": "/home/alice/R",
}
SHOW = 'echo "$PYTHONPATH $PYTHONHOME $PYTHONSTARTUP $R_LIBS $R_LIBS_USER $PYTHONNOUSERSITE"'


def test_nothing_of_the_user_s_own_leaks_into_a_kernel(site: Site) -> None:
    site.apply()
    assert started(site, "python3", SHOW, **LEAKS).stdout.split() == ["/dev/null", "1"]
    assert "-s" in spec(site, "python3")["argv"]


def test_a_site_may_want_the_user_s_own_packages_in_kernels(site: Site) -> None:
    site.want(NAME, user_site=True)
    site.apply()
    assert started(site, "python3", SHOW, **LEAKS).stdout.split() == list(LEAKS.values())
    assert "-s" not in spec(site, "python3")["argv"]


PROFILE = """
module() {
  [ "$1" = load ] || return 1
  shift
  for name; do [ "$name" != missing ] || return 1; done
  export LOADED="$*" PATH="/modules/bin:$PATH"
}
"""


def test_modules_are_loaded_before_the_environment_takes_its_place(site: Site) -> None:
    site.write(r=R + "    modules: [gcc/12, openmpi]\n")
    site.apply()
    profile = site.place / "profile.sh"
    profile.write_text(PROFILE, encoding="utf-8")
    said = started(site, "ir", 'echo "$LOADED"; echo "$PATH"', BASH_ENV=str(profile)).stdout.splitlines()
    assert said[0] == "gcc/12 openmpi"
    assert said[1].startswith(f"{site.prefix('r')}/bin:/modules/bin:")


@pytest.mark.parametrize("profile", [PROFILE, ""])
def test_a_kernel_whose_module_is_not_there_does_not_start(site: Site, profile: str) -> None:
    site.write(r=R + "    modules: [missing]\n")
    site.apply()
    (site.place / "profile.sh").write_text(profile, encoding="utf-8")
    done = started(site, "ir", "echo started", BASH_ENV=str(site.place / "profile.sh"))
    assert (done.returncode, done.stdout) == (1, "")
    assert bool(profile) or "this node has no command module" in done.stderr


def test_another_name_of_a_kernel_leaves_the_published_one_to_running_sessions(site: Site) -> None:
    site.apply()
    old = kernels(site)
    site.write(python=PYTHON.replace("Python {python}", "Python of the course"))
    assert site.apply().built == ()
    assert kernels(site) != old
    assert old.is_dir()
    assert spec(site, "python3")["display_name"] == "Python of the course"


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "r: it ships no kernel ir"),
        (
            {"share/jupyter/kernels/ir/kernel.json": '{"argv": ["Rscript"]}'},
            "r: its kernel starts Rscript, which is not in",
        ),
    ],
)
def test_an_environment_without_a_kernel_that_works_is_not_published(
    site: Site, files: dict[str, str], sentence: str
) -> None:
    channel.make(site.channel, Package("r-base", "5.0", files=files))
    site.write()
    site.lock(NAME, "r")
    with pytest.raises(ReleaseError, match=sentence):
        site.apply()
    assert not (site.root / "index.json").exists()


def test_a_python_environment_without_ipykernel_is_not_published(site: Site) -> None:
    site.write(
        release=RELEASE.replace("[python, dask, r]", "[python]"), python=PYTHON.replace("ipykernel, ", "")
    )
    site.lock(NAME, "python")
    with pytest.raises(ReleaseError, match="No module named 'ipykernel'"):
        site.apply()


def listening(pid: int) -> list[str]:
    """Local addresses, in the kernel's notation, on which the process listens over TCP."""
    sockets = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        target = str(entry.readlink())
        if target.startswith("socket:["):
            sockets.add(target[8:-1])
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text(encoding="utf-8").splitlines()]
    return [row[1] for row in rows[1:] if row[3] == "0A" and row[9] in sockets]


@pytest.fixture
def short() -> Iterator[Path]:
    # Unix sockets need short paths: the place where pytest keeps its directories may be a long one.
    with tempfile.TemporaryDirectory(prefix="k-") as place:
        yield Path(place)


@pytest.mark.slow
def test_a_published_kernel_runs_and_listens_on_no_port(
    site: Site, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel.make(site.channel, channel.ipykernel())
    site.write(release=RELEASE.replace("[python, dask, r]", "[python]"))
    site.lock(NAME, "python")
    site.apply()
    monkeypatch.setenv("JUPYTER_PATH", str(kernels(site).parent))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(short))
    manager = KernelManager(
        kernel_name="python3", transport="ipc", connection_file=str(short / "kernel.json")
    )
    manager.start_kernel()
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=90)
        printed: list[str] = []
        client.execute_interactive(
            "import os, sys, numpy; print(os.getpid(), sys.prefix, numpy.__file__)",
            timeout=60,
            output_hook=lambda message: printed.append(message["content"].get("text", "")),
        )
        pid, prefix, file = "".join(printed).split()
        assert prefix == str(site.prefix("python"))
        assert file.startswith(prefix)
        info = client.kernel_info(reply=True, timeout=60)["content"]
        assert "debugger" not in info.get("supported_features", []), "it would listen"
        assert listening(int(pid)) == []
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
