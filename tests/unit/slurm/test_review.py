from __future__ import annotations

from typing import Any

import pytest

from berth.slurm.errors import SlurmValueError
from berth.slurm.existing.review import review

DIR = "/etc/slurm"
MAIN, OWN, CGROUP, GRES = (
    f"{DIR}/{name}" for name in ("slurm.conf", "interactive.conf", "cgroup.conf", "gres.conf")
)
RUNNING = """Configuration data as of 2026-11-22T12:00:00
AccountingStorageEnforce = associations,limits,qos
AccountingStoreFlags    = (null)
EnforcePartLimits       = ALL
GresTypes               = gpu
PreemptMode             = OFF
ProctrackType           = proctrack/cgroup
SchedulerParameters     = batch_sched_delay=0
SelectType              = select/cons_tres
SelectTypeParameters    = CR_CORE_MEMORY
SLURM_VERSION           = 24.11.5
TaskPlugin              = task/affinity,task/cgroup
"""
CGROUPS = "ConstrainDevices=yes\nConstrainRAMSpace=Yes\nConstrainCores=yes\nConstrainSwapSpace=yes\n"
DEVICES = "NodeName=gpu[1-2] Name=gpu Type=a100 File=/dev/nvidia[0-1]\n"
NODES = "NodeName=gpu[1-2] CPUs=4 RealMemory=4000 Gres=gpu:a100:2\n"
BATCH = "PartitionName=batch Nodes=gpu[1-2] OverSubscribe=FORCE:1 Default=YES\n"
OURS: list[dict[str, Any]] = [
    {
        "name": name,
        "cpus": 4,
        "memory": "4000M",
        "gpus": [{"type": "a100", "count": 2, "files": "/dev/nvidia[0-1]"}],
    }
    for name in ("gpu1", "gpu2")
]


def answer(
    text: str = NODES + BATCH, running: str = RUNNING, more: dict[str, str | None] | None = None, **site: Any
) -> dict[str, Any]:
    files = {MAIN: text, CGROUP: CGROUPS, GRES: DEVICES, **(more or {})}
    words = {"main": MAIN, "own": OWN, "running": running, "nodes": OURS, "partition": "interactive"}
    rest = {"default": False, "host": "gpu1", "node": True, "controller": False}
    return review(files, {**words, **rest, **site})


def conflicts(*arguments: Any, **options: Any) -> list[str]:
    found: list[str] = answer(*arguments, **options)["conflicts"]
    return found


def running(key: str, value: str) -> str:
    """The running configuration with one other value."""
    return "\n".join(
        f"{key} = {value}" if line.split()[:1] == [key] else line for line in RUNNING.splitlines()
    )


def test_a_cluster_that_fits_gets_the_partition_alone() -> None:
    assert answer() == {
        "defined": ["gpu1", "gpu2"],
        "added": [],
        "placed": [],
        "conflicts": [],
        "hints": [],
        "stranded": [],
        "restart": False,
    }


def test_nodes_that_they_do_not_define_are_added() -> None:
    found = answer(
        NODES.replace("[1-2]", "1") + BATCH.replace("[1-2]", "1"), more={GRES: DEVICES.replace("[1-2]", "1")}
    )
    assert (found["defined"], found["added"], found["conflicts"]) == (["gpu1"], ["gpu2"], [])


def test_our_own_file_is_not_theirs() -> None:
    own = "NodeName=gpu2 CPUs=4 RealMemory=4000 Gres=gpu:a100:2\nPartitionName=interactive Nodes=gpu[1-2]\n"
    text = "Include interactive.conf\n" + NODES.replace("[1-2]", "1")
    found = answer(
        text, more={OWN: own, GRES: "Include interactive-gres.conf\n" + DEVICES.replace("[1-2]", "1")}
    )
    assert (found["added"], found["placed"], found["conflicts"]) == (["gpu2"], ["gpu2"], [])


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("SelectType", "select/linear", "only select/cons_tres knows GPUs"),
        ("SelectType", "select/cons_res", "only select/cons_tres knows GPUs"),
        ("SelectTypeParameters", "CR_CORE", "memory is not consumable"),
        ("SelectTypeParameters", "CR_MEMORY", "memory is not consumable"),
        ("SelectTypeParameters", "(null)", "memory is not consumable"),
        ("TaskPlugin", "task/affinity", "nothing keeps a job within its memory"),
        ("ProctrackType", "proctrack/linuxproc", "processes of a session may outlive it"),
        ("PreemptMode", "GANG,SUSPEND", "suspend sessions that share a core in turns"),
        ("GresTypes", "mps", "lacks gpu"),
        ("GresTypes", "(null)", "lacks gpu"),
    ],
)
def test_a_parameter_with_which_sessions_cannot_live_is_refused_wherever_it_comes_from(
    key: str, value: str, words: str
) -> None:
    shown = "(nothing)" if value == "(null)" else value
    (sentence,) = conflicts(running=running(key, value))
    assert sentence.startswith(f"the running slurmctld: {key}={shown}: ")
    assert words in sentence
    if value != "(null)":
        (sentence,) = conflicts(f"# first\n{key.upper()} = {value}\n" + NODES)
        assert sentence.startswith(f"{MAIN}:2: {key}={value}: ")
        assert words in sentence


@pytest.mark.parametrize(
    "line",
    [
        "SelectTypeParameters=CR_CPU_Memory,CR_Pack_Nodes",
        "SelectTypeParameters=CR_Socket_Memory",
        "TaskPlugin=affinity,cgroup",
        "ProctrackType=cgroup",
        "PreemptMode=REQUEUE",
        "GresTypes=gpu,mps",
    ],
)
def test_a_parameter_that_is_written_otherwise_is_taken(line: str) -> None:
    assert conflicts(f"{line}\n" + NODES) == []


def test_the_file_counts_where_it_says_something_and_a_change_that_waits_is_told() -> None:
    found = answer("SelectType=select/cons_tres\n" + NODES, running("SelectType", "select/linear"))
    assert found["conflicts"] == []
    assert found["hints"] == [
        (
            f"{MAIN}:1: SelectType=select/cons_tres, but slurmctld runs with select/linear: "
            "to reconfigure it brings the file into force."
        )
    ]


def test_without_gpus_gres_types_do_not_matter() -> None:
    bare = [{key: node[key] for key in ("name", "cpus", "memory")} for node in OURS]
    text = NODES.replace(" Gres=gpu:a100:2", "")
    assert conflicts(text, running("GresTypes", "(null)"), nodes=bare, more={GRES: None}) == []


def test_a_node_that_is_defined_twice_is_refused() -> None:
    (sentence,) = conflicts(NODES + "NodeName=gpu2,gpu1,cpu1 CPUs=4\n")
    assert sentence == (
        f"{MAIN}:2: gpu[1-2] is defined a second time, after {MAIN}:1: take it out of one of the lines."
    )


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        ("NodeName=n2 NodeHostname=gpu2", {}),
        ("NodeName=n[1-2] NodeAddr=192.0.2.[11-12]", {"address": "192.0.2.12"}),
        ("NodeName=n2 NodeHostname=other", {"options": {"NodeHostname": "other"}}),
    ],
)
def test_the_machine_of_another_name_is_refused(line: str, changed: dict[str, Any]) -> None:
    text = NODES.replace("[1-2]", "1") + line + " CPUs=4 RealMemory=4000\n"
    more = {GRES: DEVICES.replace("[1-2]", "1")}
    (sentence,) = conflicts(text, nodes=[OURS[0], {**OURS[1], **changed}], more=more)
    assert sentence.startswith(f"{MAIN}:2: n2 (NodeHostname=")
    assert sentence.endswith("is the machine that slurm_interactive_nodes calls gpu2: write name: n2 there.")


@pytest.mark.parametrize(
    ("line", "said", "mine"),
    [
        ("CPUs=8 RealMemory=4000 Gres=gpu:a100:2", "CPUs=8", "cpus: 4"),
        ("Sockets=2 CoresPerSocket=2 ThreadsPerCore=2 RealMemory=4000 Gres=gpu:a100:2", "CPUs=8", "cpus: 4"),
        ("RealMemory=4000 Gres=gpu:a100:2", "CPUs=1", "cpus: 4"),
        ("CPUs=4 RealMemory=3900 Gres=gpu:a100:2", "RealMemory=3900", "memory: 4000M"),
        ("CPUs=4 Gres=gpu:a100:2", "no RealMemory (1 MiB, to Slurm)", "memory: 4000M"),
        ("CPUs=4 RealMemory=4000 Gres=gpu:v100:2", "Gres=gpu:v100:2", "gpu:a100:2"),
        ("CPUs=4 RealMemory=4000 Gres=gpu:2", "Gres=gpu:2", "gpu:a100:2"),
        ("CPUs=4 RealMemory=4000 Gres=gpu:a100:4", "Gres=gpu:a100:4", "gpu:a100:2"),
        ("CPUs=4 RealMemory=4000", "Gres=(none)", "gpu:a100:2"),
        ("CPUs=4 RealMemory=4000 Gres=;;", "Gres=;;", "gpu:a100:2"),
    ],
)
def test_a_node_that_they_describe_otherwise_is_refused(line: str, said: str, mine: str) -> None:
    (sentence,) = conflicts(f"NodeName=gpu[1-2] {line}\n")
    assert sentence.startswith(f"{MAIN}:1: ")
    assert (
        f"gpu[1-2] has {said}, slurm_interactive_nodes says {mine}: write what is true in both." in sentence
    )
    assert ("gres mismatch" in sentence) == said.startswith("Gres")


@pytest.mark.parametrize(
    "line",
    [
        "Procs=4 RealMemory=4000 Gres=gpu:a100:2",
        "Sockets=1 CoresPerSocket=2 ThreadsPerCore=2 RealMemory=4000 Gres=gpu:a100:2",
        "Boards=1 SocketsPerBoard=2 CoresPerSocket=2 RealMemory=4000 Gres=gpu:a100:2",
        "CPUs=4 RealMemory=4000 Gres=gpu:A100:1,gpu:a100:1,nic:2,license:no_consume:4",
    ],
)
def test_a_node_that_they_describe_in_other_words_is_taken(line: str) -> None:
    assert conflicts(f"NodeName=gpu[1-2] {line}\n") == []


def test_values_of_their_default_lines_count_for_the_nodes_below() -> None:
    text = "NodeName=cpu1\nNodeName=DEFAULT CPUs=4 RealMemory=1\nNodeName=default RealMemory=4000\n"
    assert conflicts(text + "NodeName=gpu[1-2] Gres=gpu:a100:2\n") == []


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "OverSubscribe=NO (Slurm's default): a node then runs jobs of one partition at a time"),
        (" OverSubscribe=NO", "OverSubscribe=NO: a node then runs jobs of one partition at a time"),
        (" Shared=no", "OverSubscribe=no: a node then runs jobs of one partition at a time"),
        (" OverSubscribe=YES:1", "OverSubscribe=YES:1: a node then runs jobs of one partition at a time"),
        (" OverSubscribe=FORCE:0", "OverSubscribe=FORCE:0: a node then runs jobs of one partition at a time"),
        (" OverSubscribe=EXCLUSIVE", "its jobs take whole nodes"),
        (" OverSubscribe=FORCE ExclusiveUser=YES", "a node then runs jobs of one user only"),
    ],
)
@pytest.mark.parametrize("nodes", ["gpu[1-2]", "ALL", "cpu1,both", "marked"])
def test_a_partition_that_never_shares_our_nodes_is_refused(value: str, words: str, nodes: str) -> None:
    sets = "NodeSet=both Nodes=gpu[1-2]\nNodeSet=marked Feature=big\n"
    text = sets + NODES.replace("\n", " Feature=small,big\n") + f"PartitionName=batch Nodes={nodes}{value}\n"
    (sentence,) = conflicts(text)
    assert sentence.startswith(f"{MAIN}:4: batch holds gpu[1-2] with ")
    assert words in sentence


@pytest.mark.parametrize("value", ["FORCE", "FORCE:1", "force:4"])
def test_a_partition_that_always_shares_is_taken(value: str) -> None:
    found = answer(NODES + f"PartitionName=batch Nodes=ALL OverSubscribe={value}\n")
    assert (found["conflicts"], found["hints"]) == ([], [])


@pytest.mark.parametrize("value", ["YES", "YES:4"])
def test_a_partition_that_shares_when_asked_is_told(value: str) -> None:
    found = answer(NODES + f"PartitionName=batch Nodes=ALL OverSubscribe={value}\n")
    assert found["conflicts"] == []
    (hint,) = found["hints"]
    assert (
        f"{MAIN}:2: batch holds gpu[1-2] with OverSubscribe={value}: only those of its jobs that ask" in hint
    )


def test_a_partition_on_other_nodes_does_not_matter() -> None:
    assert conflicts(NODES + "NodeName=cpu[1-9]\nPartitionName=cpu Nodes=cpu[1-9]\n") == []


def test_a_partition_of_all_nodes_would_hold_those_that_we_add() -> None:
    (sentence,) = conflicts("NodeName=cpu1\nPartitionName=cpu Nodes=ALL\n", more={GRES: None})
    assert "cpu holds gpu[1-2] with" in sentence


def test_values_of_their_default_lines_count_for_the_partitions_below() -> None:
    text = NODES + "PartitionName=early Nodes=cpu1\nPartitionName=DEFAULT OverSubscribe=FORCE:2 Nodes=ALL\n"
    assert conflicts(text + "PartitionName=batch\n") == []


def test_a_partition_of_our_name_is_refused() -> None:
    (sentence,) = conflicts(NODES + "PartitionName=interactive Nodes=cpu1\n")
    assert sentence == (
        f"{MAIN}:2: there is a partition interactive already: take that line out, or choose another "
        "slurm_interactive_partition."
    )


def test_a_second_default_partition_is_refused() -> None:
    (sentence,) = conflicts(default=True)
    assert sentence.startswith(f"{MAIN}:2: batch takes the jobs that name no partition: ")


@pytest.mark.parametrize("path", ["more.conf", f"{DIR}/more.conf", "./sub/../more.conf"])
def test_an_include_that_cannot_be_read_is_refused(path: str) -> None:
    (sentence,) = conflicts(NODES + f"Include {path}\n", more={f"{DIR}/more.conf": None})
    assert (
        sentence == f"{MAIN}:2: includes {DIR}/more.conf, which cannot be read: correct the line or the file."
    )


def test_includes_that_never_end_are_refused() -> None:
    (sentence,) = conflicts(NODES + "Include more.conf\n", more={f"{DIR}/more.conf": "Include slurm.conf\n"})
    assert sentence.startswith(f"{DIR}/more.conf:1: includes {MAIN}, which is being read already")


def test_a_second_include_of_our_file_is_refused() -> None:
    (sentence,) = conflicts("Include interactive.conf\n" + NODES + f"Include {OWN}\n", more={OWN: ""})
    assert sentence == f"{MAIN}:3: includes {OWN} again: take this line out."


def test_a_line_that_cannot_be_understood_is_refused_with_its_place() -> None:
    (sentence,) = conflicts(NODES + "NodeName=cpu[3-1] CPUs=4\n")
    assert sentence.startswith(f"{MAIN}:2: NodeName: ")
    assert "runs backwards" in sentence


@pytest.mark.parametrize("key", ["ConstrainDevices", "ConstrainRAMSpace"])
@pytest.mark.parametrize("value", ["", "no"])
def test_jobs_that_are_not_confined_are_refused(key: str, value: str) -> None:
    text = "\n".join(line for line in CGROUPS.splitlines() if not line.startswith(key))
    text += f"\n{key}={value}\n" if value else "\n"
    (sentence,) = conflicts(more={CGROUP: text})
    assert sentence.startswith(f"{CGROUP}:4: without {key}=yes" if value else f"{CGROUP}: without {key}=yes")


def test_a_node_without_cgroup_conf_is_refused_and_other_hosts_are_not_asked() -> None:
    (sentence,) = conflicts(more={CGROUP: None})
    assert sentence.startswith(f"{CGROUP} is missing")
    assert conflicts(more={CGROUP: None}, node=False, controller=True) == []


def test_where_nodes_fetch_their_configuration_the_files_of_the_controller_count() -> None:
    text = "SlurmctldParameters=enable_configless\n" + NODES
    found = conflicts(text, more={CGROUP: None, GRES: None}, node=False, controller=True, host="ctl")
    assert [sentence.partition(" ")[0] for sentence in found] == [CGROUP, f"{GRES}:"]


@pytest.mark.parametrize(
    ("text", "host"),
    [("NodeName=gpu[1-2] Name=gpu Count=2\n", "gpu1"), ("", "gpu2"), ("AutoDetect=off\n", "gpu1")],
)
def test_gpus_without_device_files_are_refused(text: str, host: str) -> None:
    (sentence,) = conflicts(more={GRES: text}, host=host)
    assert sentence.startswith(f"{GRES}: has no device files of the GPUs of {host} ")


@pytest.mark.parametrize(
    "text",
    [
        "Name=gpu File=/dev/nvidia0\n",
        "AutoDetect=nvml\n",
        "NodeName=gpu[1-9] AutoDetect=nvml\n",
        "Include all.conf\n",
    ],
)
def test_gpus_with_device_files_are_taken(text: str) -> None:
    assert conflicts(more={GRES: text, f"{DIR}/all.conf": DEVICES}) == []


@pytest.mark.parametrize(
    "row", ["NodeName=gpu[2-3] Name=gpu File=/dev/nvidia0", "Name=gpu File=/dev/nvidia0"]
)
def test_rows_of_gres_conf_for_a_node_that_we_add_are_refused(row: str) -> None:
    (sentence,) = conflicts(NODES.replace("[1-2]", "1"), more={GRES: f"#\n{row}\n"}, host="gpu2")
    assert sentence.startswith(f"{GRES}:2: describes the GPUs of gpu2, as slurm_interactive_nodes does")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("AccountingStoreFlags=job_comment,job_env", "the environment of every session, its token included"),
        ("AccountingStoreFlags=job_script", "every session's script"),
        ("SchedulerParameters=bf_window=1", "batch_sched_delay=0 starts it at once"),
        ("EnforcePartLimits=no", "waits for ever"),
        ("AccountingStorageEnforce=associations", "limits of users, accounts and QOS are not kept"),
        ("SLURM_VERSION=20.11.9", "Slurm 20.11.9 is untested"),
    ],
)
def test_what_works_but_not_well_is_a_hint(line: str, words: str) -> None:
    found = answer(f"{line}\n" + NODES)
    assert found["conflicts"] == []
    (hint,) = found["hints"]
    assert words in hint


def test_cores_and_swap_that_are_not_confined_are_hints() -> None:
    found = answer(more={CGROUP: "ConstrainDevices=yes\nConstrainRAMSpace=yes\nConstrainCores=no\n"})
    assert found["conflicts"] == []
    assert [hint.partition(" ")[0] for hint in found["hints"]] == [f"{CGROUP}:3:", f"{CGROUP}:"]


@pytest.mark.parametrize(
    ("version", "restart"), [("22.05.8", True), ("24.05.1", True), ("24.11.5", False), ("25.05.0", False)]
)
def test_older_releases_take_new_nodes_up_by_a_restart(version: str, restart: bool) -> None:  # noqa: FBT001
    assert answer(running=running("SLURM_VERSION", version))["restart"] is restart


def test_partitions_that_would_lose_nodes_with_our_file_are_told() -> None:
    own = "NodeName=gpu2 CPUs=4 RealMemory=4000 Gres=gpu:a100:2\n"
    text = "Include interactive.conf\n" + NODES.replace("[1-2]", "1")
    text += "PartitionName=late Nodes=gpu[1-2] OverSubscribe=FORCE:1\n"
    text += "PartitionName=all Nodes=ALL OverSubscribe=FORCE\n"
    (sentence,) = answer(text, more={OWN: own})["stranded"]
    assert sentence.startswith(f"{MAIN}:3: late names gpu2, which only interactive.conf defines")


def test_a_description_of_ours_that_is_wrong_is_an_error() -> None:
    with pytest.raises(SlurmValueError, match="memory"):
        answer(nodes=[{"name": "gpu1", "cpus": 4, "memory": 4000}])
    with pytest.raises(SlurmValueError, match="main is missing"):
        answer(main=None)
