"""What the inventory says of a node, against recorded answers of nodes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from berth.slurm.errors import SlurmValueError
from berth.slurm.existing import drift
from tests.unit.slurm.strategies import anything, raises_only_our_error

# A container of two cores, slurmd 24.11.5; 22.05.8 prints the same two lines.
LAB = """NodeName=gpu1 CPUs=2 Boards=1 SocketsPerBoard=1 CoresPerSocket=2 ThreadsPerCore=1 RealMemory=24103
UpTime=0-03:40:22
"""
# slurmd 24.11 where a plugin finds the GPUs (its print_config and gres_get_autodetected_gpus).
DETECTING = """NodeName=g1 CPUs=128 Boards=1 SocketsPerBoard=2 CoresPerSocket=32 ThreadsPerCore=2 \
RealMemory=515512 Gres=gpu:nvidia_a100-sxm4-40gb:4
Found gpu:nvidia_a100-sxm4-40gb:4 with Autodetect=nvidia (Substring of gpu name may be used instead)
UpTime=12-03:40:22
"""
A100 = "GPU {}: NVIDIA A100-SXM4-40GB (UUID: GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3{})\n"
FOUR = "".join(A100.format(number, number) for number in range(4))
# One GPU is cut, as in NVIDIA's guide to MIG.
SLICED = f"""{A100.format(0, 0)}\
  MIG 3g.20gb     Device  0: (UUID: MIG-c7384736-a75d-5afc-978f-d2f1294409fd)
  MIG 1g.5gb      Device  1: (UUID: MIG-a28ad590-3fda-56dd-84fc-0a0b96edc58d)
{A100.format(1, 1)}"""
H100 = "GPU 0: NVIDIA H100 PCIe (UUID: GPU-11111111-2222-3333-4444-555555555555)\n"


def node(**more: Any) -> dict[str, Any]:
    return {"name": "gpu1", "cpus": 2, "memory": "24000M", **more}


def said(answers: dict[str, str], **more: Any) -> list[str]:
    return [sentence.removeprefix("gpu1: ") for sentence in drift.compare(node(**more), answers)]


def gpus(*groups: Any) -> dict[str, Any]:
    return {"gpus": [{"type": kind or None, "count": count} for kind, count in groups]}


def test_a_node_as_it_is_described_is_not_spoken_of() -> None:
    assert said({drift.SLURMD: LAB}) == []
    assert said({drift.SLURMD: LAB}, sockets=1, cores_per_socket=2, threads_per_core=1) == []


def test_less_memory_than_there_is_may_be_described_and_more_may_not() -> None:
    assert said({drift.SLURMD: LAB}, memory="1G") == []
    assert said({drift.SLURMD: LAB}, memory="24G") == [
        (
            "the inventory says 24576 MiB of memory, slurmd -C says 24103: "
            "Slurm takes no such node into service; correct memory"
        )
    ]


def test_cpus_and_topology_that_differ_are_told_with_what_follows() -> None:
    (sentence,) = drift.compare(node(cpus=4), {drift.SLURMD: LAB})
    assert sentence.startswith("gpu1: the inventory says 4 CPUs, slurmd -C says 2: Slurm takes no such node")
    assert said({drift.SLURMD: LAB}, cpus=1) == [
        "the inventory says 1 CPUs, slurmd -C says 2: what is not described is not used; correct cpus"
    ]
    assert said({drift.SLURMD: DETECTING}, cpus=128, sockets=1, cores_per_socket=64, threads_per_core=2) == [
        "the inventory says 1 sockets, slurmd -C says 2: what is not described is not used; correct sockets",
        (
            "the inventory says 64 cores a socket, slurmd -C says 32: "
            "Slurm takes no such node into service; correct cores_per_socket"
        ),
    ]


def test_one_cpu_for_each_core_is_no_difference() -> None:
    assert said({drift.SLURMD: DETECTING}, cpus=64) == []
    assert said({drift.SLURMD: DETECTING}, cpus=128) == []


def test_sockets_are_counted_over_all_boards() -> None:
    text = LAB.replace(
        "Boards=1 SocketsPerBoard=1 CoresPerSocket=2", "Boards=2 SocketsPerBoard=1 CoresPerSocket=1"
    )
    assert said({drift.SLURMD: text}, sockets=2, cores_per_socket=1, threads_per_core=1) == []


def test_the_number_of_gpus_is_compared_with_the_driver() -> None:
    assert said({drift.LIST: FOUR}, **gpus(("a100", 4))) == []
    assert said({drift.LIST: FOUR}, **gpus(("", 4))) == []
    assert said({drift.LIST: H100}, **gpus(("h100", 2))) == [
        "the inventory says 2 GPUs, nvidia-smi -L lists 1 (NVIDIA H100 PCIe): correct gpus"
    ]
    assert said({drift.LIST: H100}) == [
        "the inventory says 0 GPUs, nvidia-smi -L lists 1 (NVIDIA H100 PCIe): correct gpus"
    ]


def test_types_are_compared_where_they_are_a_part_of_a_name() -> None:
    both = FOUR + H100.replace("GPU 0", "GPU 4")
    assert said({drift.LIST: both}, **gpus(("a100", 4), ("h100", 1))) == []
    assert said({drift.LIST: both}, **gpus(("A100-SXM4", 3), ("h100", 2))) == [
        "the inventory says 3 GPUs of type A100-SXM4, nvidia-smi -L lists 4: correct gpus",
        "the inventory says 2 GPUs of type h100, nvidia-smi -L lists 1: correct gpus",
    ]


def test_a_type_with_device_files_is_any_word_but_what_slurmd_shall_find_is_not() -> None:
    assert said({drift.LIST: FOUR}, **gpus(("fast", 4))) == []
    assert said({drift.LIST: FOUR}, autodetect="nvml", **gpus(("fast", 4))) == [
        "the inventory says 4 GPUs of type fast, nvidia-smi -L lists 0: correct gpus"
    ]


def test_slices_are_counted_by_their_profile_and_their_gpu_is_not() -> None:
    described = gpus(("a100", 1), ("a100_3g.20gb", 1), ("1g.5gb", 1))
    assert said({drift.LIST: SLICED}, autodetect="nvml", **described) == []
    assert said({drift.LIST: SLICED}, **gpus(("a100", 2))) == [
        (
            "the inventory says 2 GPUs, nvidia-smi -L lists 3 (3g.20gb, 1g.5gb, NVIDIA A100-SXM4-40GB):"
            " correct gpus"
        )
    ]
    assert said({drift.LIST: SLICED}, **gpus(("a100", 1), ("1g.5gb", 2))) == [
        "the inventory says 2 GPUs of type 1g.5gb, nvidia-smi -L lists 1: correct gpus"
    ]


def test_a_gpu_in_mig_mode_without_slices_is_told() -> None:
    query = "name, mig.mode.current\nNVIDIA A100-SXM4-40GB, Enabled\nNVIDIA A100-SXM4-40GB, Disabled\n"
    assert said({drift.LIST: SLICED, drift.QUERY: query}, **gpus(("", 3))) == []
    plain = A100.format(0, 0) + A100.format(1, 1)
    assert said({drift.LIST: plain, drift.QUERY: query}, **gpus(("a100", 2))) == [
        "GPU 0 (NVIDIA A100-SXM4-40GB) is in MIG mode without a slice: nobody can use it"
    ]


def test_a_driver_that_does_not_answer_is_quoted() -> None:
    text = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that\n"
    assert said({drift.LIST: text}, **gpus(("a100", 2))) == [
        f"the inventory says 2 GPUs, nvidia-smi -L says: {text.strip()}"
    ]
    assert said({drift.LIST: text}) == []


def test_a_way_of_detection_that_slurmd_has_not_is_told() -> None:
    described = gpus(("a100", 4))
    assert said({drift.SLURMD: DETECTING}, autodetect="nvidia", **described | {"cpus": 128}) == []
    assert said({drift.SLURMD: DETECTING}, autodetect="nvml", **described | {"cpus": 128}) == [
        (
            "the inventory says autodetect: nvml, slurmd -C finds GPUs by nvidia only: "
            "install slurmd's plugin gpu_nvml, or correct autodetect"
        )
    ]


def test_device_files_that_are_not_there_are_told_in_one_sentence() -> None:
    assert said({drift.MISSING: "/dev/nvidia2\n/dev/nvidia3\n"}) == [
        (
            "no such device file: /dev/nvidia2, /dev/nvidia3: slurmd does not start without; "
            "look at the driver, or correct gpus"
        )
    ]


def test_what_is_not_there_tells_nothing() -> None:
    assert said({}) == []
    assert said({drift.SLURMD: "", drift.LIST: "", drift.QUERY: "", drift.MISSING: ""}, cpus=64) == []
    assert drift.compare({"name": "gpu1"}, {drift.SLURMD: LAB}) == []


def test_all_answers_can_come_as_one_text() -> None:
    text = (
        f"== {drift.SLURMD}\n{LAB}== {drift.LIST}\n{FOUR}== {drift.QUERY}\n== {drift.MISSING}\n/dev/nvidia4\n"
    )
    assert drift.sections(text)[drift.LIST] == FOUR
    found = drift.compare(node(cpus=4, **gpus(("a100", 5))), text)
    assert [sentence.split(":")[1][:25] for sentence in found] == [
        " the inventory says 4 CPU",
        " the inventory says 5 GPU",
        " no such device file",
    ]


def test_the_device_files_of_a_node_are_listed_once() -> None:
    slices = [f"/dev/nvidia0,/dev/nvidia-caps/nvidia-cap[{pair}]" for pair in ("21-22", "30-31")]
    described = node(gpus=[{"count": 2, "multiple_files": slices}, {"count": 2, "files": "/dev/nvidia[1-2]"}])
    names = ["nvidia0", *(f"nvidia-caps/nvidia-cap{n}" for n in (21, 22, 30, 31)), "nvidia1", "nvidia2"]
    assert drift.files(described) == [f"/dev/{name}" for name in names]
    assert drift.files(node()) == []


def test_a_wrong_description_is_refused_with_its_name() -> None:
    with pytest.raises(SlurmValueError, match="node gpu1: unknown key cpu"):
        drift.compare({"name": "gpu1", "cpu": 4}, {})


WORDS = (
    "== slurmd -C\n",
    "NodeName=",
    "CPUs=",
    "GPU 0: ",
    "  MIG ",
    "\n",
    "cpus",
    "name",
    "gpus",
    "count",
    "files",
)


@given(anything("NodeCPUs=1 \n:()", *WORDS), anything("GPU 0:()\n,", *WORDS))
def test_nothing_but_our_own_error_is_raised(first: object, second: object) -> None:
    raises_only_our_error(drift.compare, node(gpus=[{"type": "1g.5gb", "count": 2}]), first)
    raises_only_our_error(drift.compare, node(), {drift.SLURMD: first, drift.LIST: second})
    raises_only_our_error(drift.compare, first, second)
    raises_only_our_error(drift.files, {"name": "n", "gpus": first})


SLICES = {"type": "1g.5gb", "count": 1, "multiple_files": ["/dev/nvidia0,/dev/nvidia-caps/nvidia-cap[21-22]"]}


def slices_said(version: str, *gres_types: str, group: dict[str, Any] | None = None) -> list[str]:
    described = {"name": "gpu1", "cpus": 2, "memory": "1G", "gpus": [group or SLICES]}
    return drift.compare(described, {drift.VERSION: version}, gres_types)


def test_slices_that_an_old_slurmd_miscounts_beside_shares_are_told() -> None:
    (sentence,) = slices_said("slurm-wlm 22.05.8\n", "gpu", "mps", "shard")
    assert sentence == (
        "gpu1: Slurm 22.05.8 counts every file of multiple_files as a GPU, because GresTypes names mps and"
        " shard: describe no shards and no MPS on any node, or upgrade Slurm to 23.02.7"
    )
    assert len(slices_said("slurm 23.02.6", "gpu", "shard")) == 1


def test_slices_that_are_counted_as_they_are_are_not_spoken_of() -> None:
    assert slices_said("slurm 23.02.7", "gpu", "shard") == []
    assert slices_said("slurm-wlm 24.11.5", "gpu", "shard") == []
    assert slices_said("slurm-wlm 22.05.8", "gpu") == []
    assert slices_said("", "gpu", "shard") == []
    whole = {"type": "a100", "count": 2, "files": "/dev/nvidia[0-1]"}
    assert slices_said("slurm-wlm 22.05.8", "gpu", "shard", group=whole) == []
