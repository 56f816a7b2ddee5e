"""The rendered GPUs of a site with every mix of them, read by Slurm's own parser on a machine of the lab."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from berth.slurm.config import describe, gpus, rows
from berth.slurm.existing import drift
from berth.slurm.notation import gres, hostlist
from tests.lab.machines import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.machines import Machine

GOLDEN = ROOT / "tests/render/golden/mixed"
SITE = ROOT / "tests/render/inventories/mixed/group_vars/all/slurm_interactive.yml"
FOUND = re.compile(r"Gres Name=(\S+) Type=(\S+) Count=([0-9]+)")
SLURM_CONF = """ClusterName=proof
SlurmctldHost=login
ProctrackType=proctrack/linuxproc
SelectType=select/cons_tres
SlurmdParameters=config_overrides
"""


def lines(name: str) -> list[str]:
    return [
        line
        for line in (GOLDEN / name).read_text(encoding="utf-8").splitlines()
        if line.startswith("NodeName=")
    ]


def by_node(name: str) -> Iterator[tuple[str, str]]:
    """Each node with each of its lines."""
    for line in lines(name):
        for node in _names(line):
            yield node, line.partition(" ")[2]


def _names(line: str) -> list[str]:
    return hostlist.expand(line.removeprefix("NodeName=").partition(" ")[0])


def expected(node: str) -> dict[tuple[str, str], int]:
    """The GPUs of a node by type, from slurm.conf; shards and MPS by their names, as they take on types."""
    text = next(rest for name, rest in by_node("interactive.conf") if name == node)
    match = re.search(r"Gres=(\S+)", text)
    counts: dict[tuple[str, str], int] = {}
    for item in gres.parse(match[1] if match else ""):
        key = (item.name, item.type or "" if item.name == gres.GPU else "")
        counts[key] = counts.get(key, 0) + item.count
    return counts


DETECTED = {node for node, rest in by_node("gres.conf") if "AutoDetect" in rest}
SLICED = {node for node, rest in by_node("gres.conf") if "MultipleFiles" in rest}
NODES = sorted({node for node, _ in by_node("interactive.conf")})
DESCRIBED: list[dict[str, Any]] = yaml.safe_load(SITE.read_text(encoding="utf-8"))["slurm_interactive_nodes"]
TYPES = gpus.types(describe.items(DESCRIBED, "nodes", rows.NODE_KEYS))


@pytest.fixture(scope="module")
def place(gpu1: Machine) -> Iterator[str]:
    """A directory on a node with the files of the site and device files for them; nothing else is touched."""
    directory = gpu1.run("mktemp", "-d", "/tmp/berth-gres.XXXXXX")  # noqa: S108 - on a machine of the lab
    types = next(
        line for line in (GOLDEN / "slurm.conf").read_text("utf-8").splitlines() if "GresTypes" in line
    )
    assert types == f"GresTypes={','.join(TYPES)}"
    sliced = [line for line in lines("interactive.conf") if SLICED & set(_names(line))]
    files = {
        "slurm.conf": f"{SLURM_CONF}{types}\n" + "\n".join(lines("interactive.conf")) + "\n",
        "unshared.conf": f"{SLURM_CONF}GresTypes={gres.GPU}\n" + "\n".join(sliced) + "\n",
        "gres.conf": "\n".join(lines("gres.conf")).replace("/dev/", f"{directory}/dev/") + "\n",
    }
    for name, text in files.items():
        gpu1.run("sh", "-c", 'printf %s "$1" > "$2"', "sh", text, f"{directory}/{name}")
    gpu1.shell(
        f"cd {directory}; cp /etc/slurm/cgroup.conf .; mkdir -p dev/nvidia-caps;"
        " for n in 0 1 2 3 4; do mknod dev/nvidia$n c 4 6$n; done;"
        " for n in 21 22 30 31; do mknod dev/nvidia-caps/nvidia-cap$n c 4 $n; done"
    )
    yield directory
    gpu1.run("rm", "-r", directory)


def read_by_slurmd(machine: Machine, directory: str, node: str, conf: str = "slurm.conf") -> str:
    result = machine.attempt("env", f"SLURM_CONF={directory}/{conf}", "slurmd", "-N", node, "-G")
    return str(result.stdout + result.stderr)


def counted(said: str) -> dict[tuple[str, str], int]:
    """The GPUs that slurmd says it found, as `expected` has them."""
    found: dict[tuple[str, str], int] = {}
    for name, kind, count in FOUND.findall(said):
        key = (name, kind if name == gres.GPU and kind != "(null)" else "")
        found[key] = found.get(key, 0) + int(count)
    return {key: count for key, count in found.items() if count}


def differences(machine: Machine, node: str, gres_types: list[str]) -> list[str]:
    """What Berth says of a described node on this machine's Slurm, whatever devices the machine has."""
    (described,) = [item for item in DESCRIBED if item["name"] == node]
    return drift.compare(described, {drift.VERSION: machine.run("slurmd", "-V")}, gres_types)


@pytest.mark.parametrize("node", [node for node in NODES if node not in DETECTED])
def test_slurmd_reads_the_gpus_that_were_described_or_berth_says_that_it_does_not(
    gpu1: Machine, place: str, node: str
) -> None:
    said = read_by_slurmd(gpu1, place, node)
    if node in SLICED and differences(gpu1, node, TYPES):
        assert counted(said) != expected(node), "this Slurm counts slices right: Berth must not say otherwise"
        said = read_by_slurmd(gpu1, place, node, "unshared.conf")  # as Berth advises
        assert differences(gpu1, node, [gres.GPU]) == []
    assert counted(said) == expected(node), said
    assert "fatal" not in said
    assert "gnoring" not in said


@pytest.mark.parametrize("node", sorted(DETECTED))
def test_slurmd_says_so_where_it_is_to_find_gpus_and_the_library_is_not_there(
    gpu1: Machine, place: str, node: str
) -> None:
    """It ends only where shards are wanted; else the GPUs are gone without an error."""
    said = read_by_slurmd(gpu1, place, node)
    assert "nvml" in said.lower()
    assert not FOUND.search(said)
