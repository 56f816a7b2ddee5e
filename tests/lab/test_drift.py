"""The question about drift, asked of a real machine: what slurmd finds there is what the filter reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from berth.slurm.existing import drift
from tests.lab.machines import ROOT

if TYPE_CHECKING:
    from tests.lab.machines import Machine

VARIABLES = yaml.safe_load((ROOT / "roles/slurm_interactive/vars/main.yml").read_text(encoding="utf-8"))
SCRIPT: str = VARIABLES["__slurm_interactive_drift_script"]
GPUS = [{"type": "a100", "count": 2, "files": "/dev/nvidia[0-1]"}]


def answers(machine: Machine, *files: str) -> dict[str, str]:
    return drift.sections(machine.run("sh", "-c", SCRIPT, "sh", *files))


def test_a_node_that_is_described_as_it_is_has_no_drift(gpu1: Machine) -> None:
    said = answers(gpu1, "/dev/nvidia0", "/dev/nvidia1")
    cpus = int(gpu1.run("nproc"))
    memory = int(gpu1.run("awk", "/^MemTotal/ {print int($2 / 1024)}", "/proc/meminfo"))
    described = {"name": "gpu1", "cpus": cpus, "memory": f"{memory - 1}M", "gpus": GPUS}
    assert drift.compare(described, said) == []


def test_what_a_node_has_otherwise_is_told_in_words(gpu1: Machine) -> None:
    said = answers(gpu1, "/dev/nvidia1", "/dev/nvidia9")
    described = {"name": "gpu1", "cpus": 4096, "memory": "100T", "gpus": GPUS}
    cpus, memory, files = drift.compare(described, said)
    assert cpus.startswith("gpu1: the inventory says 4096 CPUs, slurmd -C says ")
    assert memory.startswith("gpu1: the inventory says 104857600 MiB of memory, slurmd -C says ")
    assert files.startswith("gpu1: no such device file: /dev/nvidia9: ")


def test_a_machine_without_slurmd_says_nothing(login: Machine) -> None:
    assert drift.compare({"name": "login", "cpus": 4096, "memory": "100T"}, answers(login)) == []
