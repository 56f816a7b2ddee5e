"""A disk that is full: a sentence, nothing half visible, and the next run goes on."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from berth.releases import keep, manifest
from berth.releases.build import _compile as compile_all
from berth.releases.errors import ReleaseError
from tests.unit import disks
from tests.unit.releases.channel import SITE
from tests.unit.releases.conftest import NAME

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.unit.releases.conftest import Site

PAGE = 4096
ROOM = 100_000_000


def build(site: Site) -> subprocess.CompletedProcess[str]:
    return site.run("build", "--settings", str(site.settings_file()))


def used(site: Site) -> int:
    """What a whole build takes of the disk, in the end."""
    with disks.mounted(site.root, str(ROOM)):
        assert build(site).returncode == 0
        return shutil.disk_usage(site.root).used


@pytest.mark.slow
@disks.needs_mount
def test_a_full_disk_is_told_and_leaves_nothing_half_visible(site: Site) -> None:
    whole = used(site)
    said = []
    for tenth in range(10):
        with disks.mounted(site.root, str(PAGE + whole * tenth // 10)):
            done = build(site)
            assert done.returncode == 1
            assert "Traceback" not in done.stderr
            assert "No space left on device" in done.stderr
            said.append(done.stderr)
            assert not (site.root / "index.json").exists()
            for prefix in (site.root / NAME).glob("*-*"):
                if manifest.finished(prefix):
                    assert manifest.differences(prefix) == [], "what is marked is whole"
            disks.resize(site.root, str(ROOM))
            assert build(site).returncode == 0
            assert list(keep.verify(site.root, [], site.settings.specs_dir)) == []
    assert "the releases cannot be built" in said[-1], "it was full after the packages were there"


@disks.needs_mount
def test_bytecode_for_which_there_is_no_room_is_not_left_out(tmp_path: Path) -> None:
    with disks.mounted(tmp_path / "small", "200k") as small:
        source = small / SITE / "module.py"
        source.parent.mkdir(parents=True)
        source.write_text("VALUE = 1\n", encoding="utf-8")
        (small / "bin").mkdir()
        (small / "bin" / "python").symlink_to(sys.executable)
        filler = disks.fill(small)
        with pytest.raises(ReleaseError, match=r"cannot compile .*module\.py: No space left on device"):
            compile_all(small)
        filler.unlink()
        compile_all(small)
        assert len([*source.parent.glob("__pycache__/*.pyc")]) == 1
