"""Two builds from one lock give the same tree: a release of real packages, by the tool that the site has."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.lab.machines import ROOT, lab

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.machines import Machine

RELEASE = "2026.05"
PLACE = "/tmp/berth-twice"  # noqa: S108 - a container's own, removed afterwards
TOOL = "/opt/berth/tools/releases/bin/berth"
WRITE = "import sys; open(sys.argv[1], 'w').write(sys.argv[2]); print('null')"
# Both have some thousand; a handful would prove nothing.
MANY = 1000


@pytest.fixture
def settings(login: Machine) -> Iterator[str]:
    """A file on the host: a root of its own, and specs and locks as role `releases` packs them."""
    state = lab().state_dir / "releases"
    channel = f"http://{login.name}:{lab().variables['lab_channel_port']}/conda-forge"
    wanted = {
        "root": f"{PLACE}/releases",
        "layers_dir": "/opt/berth/layers",
        "published": [RELEASE],
        "hidden": [],
        "ends": {},
        "layers": {},
        "environments": {RELEASE: ["python"]},
        "channels": {"conda-forge": channel},
        "pip_index": "",
        "conda_channels": ["conda-forge"],
        "conda_settings": {},
        "user_site": False,
    }
    pack = [sys.executable, str(ROOT / "roles/releases/files/pack.py"), str(state)]
    packed = subprocess.run(pack, input=json.dumps(wanted), capture_output=True, text=True, check=True).stdout
    login.run("mkdir", PLACE)
    try:
        login.python(WRITE, f"{PLACE}/settings.json", packed)
        yield f"{PLACE}/settings.json"
    finally:
        login.run("rm", "-rf", PLACE)


def built(login: Machine, settings: str) -> dict[str, str]:
    """Build all, from downloads on; give the manifests, and leave nothing."""
    root = f"{PLACE}/releases"
    assert login.attempt("test", "-e", root).rc != 0
    outcome = json.loads(login.run(TOOL, "release", "build", "--settings", settings, "--json"))
    manifests = {prefix: login.run("cat", f"{prefix}/.berth.json") for prefix in outcome["built"]}
    login.run("rm", "-r", root)
    return manifests


def test_two_builds_from_one_lock_give_the_same_tree(login: Machine, settings: str) -> None:
    first = built(login, settings)
    names = sorted(prefix.rpartition("/")[2].partition("-")[0] for prefix in first)
    assert names == ["conda", "python"]
    assert min(len(json.loads(text)["files"]) for text in first.values()) > MANY
    assert built(login, settings) == first
