"""Where the site does not know one of the nodes: it comes with the partition, its GPUs by our own file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.lab.machines import NODES, Machine
from tests.lab.test_slurm import OPEN_DEVICES
from tests.lab_existing.site import BLOCK, DIRECTORY, REMEMBERED, content, remembered, survey

if TYPE_CHECKING:
    from tests.lab.slurm import Slurm

HOSTS = ("login", *NODES)
REAL = "site/ours.conf"
"""What the site's slurm.conf is a link to."""


@pytest.mark.parametrize("name", HOSTS)
def test_their_files_are_what_they_were_but_for_two_blocks(name: str) -> None:
    machine = Machine(name)
    before, now = remembered(machine), survey(machine, DIRECTORY)
    assert now.pop("slurm.conf.before-berth") == before[REAL]
    assert now.pop("gres.conf.before-berth") == before["gres.conf"]
    assert {now.pop("interactive.conf")[0], now.pop("interactive-gres.conf")[0]} == {"-rw-r--r--"}
    blocks = {REAL: b"interactive.conf", "gres.conf": b"interactive-gres.conf"}
    for path, include in blocks.items():
        theirs = content(machine, f"{REMEMBERED}/slurm/{path}")
        assert content(machine, f"{DIRECTORY}/{path}") == BLOCK % include + theirs
        assert now.pop(path)[:3] == before.pop(path)[:3]
    # The link has the digest of what it leads to.
    assert now.pop("slurm.conf")[:3] == before.pop("slurm.conf")[:3]
    assert now["site/gpus.conf"] == before["site/gpus.conf"]
    assert now == before


def test_only_the_missing_node_has_rows_of_ours(slurm: Slurm) -> None:
    text = slurm.login.run("cat", f"{DIRECTORY}/interactive.conf", f"{DIRECTORY}/interactive-gres.conf")
    assert [line.split()[:2] for line in text.splitlines() if not line.startswith("#")] == [
        ["NodeName=gpu2", "CPUs=4"],
        ["PartitionName=interactive", "Nodes=gpu[1-2]"],
        ["NodeName=gpu2", "Name=gpu"],
    ]


def test_the_new_node_runs_jobs_that_open_their_own_gpu_only(slurm: Slurm) -> None:
    script = f"python3 -c '{OPEN_DEVICES}'"
    devices = json.loads(slurm.output("alice", "--gres=gpu:1", "--nodelist=gpu2", script=script))
    assert sorted(devices.values()) == ["EPERM", "open"]


def test_their_node_is_in_the_partition_as_well(slurm: Slurm) -> None:
    assert slurm.output("alice", "--nodelist=gpu1", script="hostname") == "gpu1"
