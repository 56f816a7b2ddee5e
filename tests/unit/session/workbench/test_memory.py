from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from berth.session.workbench import memory
from berth.session.workbench.memory import Usage

if TYPE_CHECKING:
    from pathlib import Path

MOUNT = "30 25 0:26 {root} {place} rw,nosuid - {kind} {kind} rw{options}\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A place for /proc/self and a hierarchy of cgroups."""
    (tmp_path / "proc").mkdir()
    return tmp_path


def proc(tree: Path, cgroup: str, mountinfo: str) -> Path:
    (tree / "proc/cgroup").write_text(cgroup, encoding="ascii")
    (tree / "proc/mountinfo").write_text(mountinfo, encoding="ascii")
    return tree / "proc"


def directory(tree: Path, inside: str, **files: str) -> Path:
    place = tree / "cgroup" / inside
    place.mkdir(parents=True)
    for name, text in files.items():
        (place / name.replace("__", ".")).write_text(text, encoding="ascii")
    return place


UNIFIED = {
    "memory__current": "5000\n",
    "memory__max": "8000\n",
    "memory__stat": "anon 3000\ninactive_file 1500\n",
    "memory__events": "low 0\noom 2\noom_kill 1\n",
}
LEGACY = {
    "memory__usage_in_bytes": "5000\n",
    "memory__limit_in_bytes": "8000\n",
    "memory__stat": "total_inactive_file 1500\n",
    "memory__oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
}


def test_of_cgroup_2_the_job_s_own_directory_is_read(tree: Path) -> None:
    directory(tree, "system.slice/slurmstepd.scope/job_12", **UNIFIED)
    mount = MOUNT.format(root="/", place=tree / "cgroup", kind="cgroup2", options="")
    found = memory.find(
        proc(tree, "0::/system.slice/slurmstepd.scope/job_12/step_batch/user/task_0\n", mount)
    )
    assert found is not None
    assert found.usage() == Usage(3500, 8000, 1)


@pytest.mark.parametrize("root", ["/", "/docker/abc"])
def test_of_cgroup_1_too_also_in_a_container(tree: Path, root: str) -> None:
    directory(tree, "slurm/uid_1/job_12", **LEGACY)
    directory(tree, "slurm/uid_1/job_12/step_batch/task_0", memory__oom_control="oom_kill 2\n")
    mount = MOUNT.format(root="/", place="/elsewhere", kind="cgroup", options=",cpu,cpuacct") + MOUNT.format(
        root=root, place=tree / "cgroup", kind="cgroup", options=",memory"
    )
    path = f"{root.rstrip('/')}/slurm/uid_1/job_12/step_batch"
    found = memory.find(proc(tree, f"5:cpu,cpuacct:/\n4:memory:{path}\n0::/\n", mount))
    assert found is not None
    assert found.usage() == Usage(3500, 8000, 3), "it counts where the processes were"


@pytest.mark.parametrize(("limit", "shown"), [("max\n", None), ("9223372036854771712\n", None)])
def test_a_job_without_a_limit_has_none(tree: Path, limit: str, shown: int | None) -> None:
    directory(tree, "job_12", **{**UNIFIED, "memory__max": limit})
    mount = MOUNT.format(root="/", place=tree / "cgroup", kind="cgroup2", options="")
    found = memory.find(proc(tree, "0::/job_12\n", mount))
    assert found is not None
    usage = found.usage()
    assert usage is not None
    assert usage.limit == shown


@pytest.mark.parametrize("cgroup", ["0::/user.slice/session-1.scope\n", "4:memory:/\n", ""])
def test_outside_of_a_job_there_is_nothing_to_say(tree: Path, cgroup: str) -> None:
    mount = MOUNT.format(root="/", place=tree / "cgroup", kind="cgroup2", options="")
    assert memory.find(proc(tree, cgroup, mount)) is None
    assert memory.find(tree / "nowhere") is None


@pytest.mark.parametrize("broken", ["memory__current", "memory__stat", "memory__events", "memory__max"])
def test_figures_that_cannot_be_read_are_none(tree: Path, broken: str) -> None:
    place = directory(tree, "job_12", **UNIFIED)
    mount = MOUNT.format(root="/", place=tree / "cgroup", kind="cgroup2", options="")
    found = memory.find(proc(tree, "0::/job_12\n", mount))
    assert found is not None
    (place / broken.replace("__", ".")).unlink()
    assert found.usage() is None
