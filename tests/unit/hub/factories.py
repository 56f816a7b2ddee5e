"""Records as Slurm would give them, with only what a test cares about spelled out."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

from berth.hub import settings
from berth.hub.snapshot import Part, Snapshot
from berth.releases.catalogue import Environment, Release
from berth.slurm.records import Association, Job, Node, Partition, Reservation

NOW = 1_800_000_000.0

JOB = Job(
    job_id=7,
    name="berth-0",
    user="alice",
    account="proj_a",
    partition="interactive",
    state="PENDING",
    reason="Resources",
    nodes=(),
    cpus=1,
    memory_mib=1000,
    gpus={"a100": 1},
    submit_time=int(NOW),
    start_time=None,
    end_time=None,
    time_limit=60,
    restarts=0,
    exit_code=None,
    signal=None,
    reservation=None,
)
NODE = Node(
    name="gpu1",
    states=frozenset({"IDLE"}),
    cpus=4,
    memory_mib=4000,
    alloc_memory_mib=0,
    alloc_cpus=0,
    gpus={"a100": 2},
    gpus_used={},
    partitions=("interactive",),
    address="198.18.0.11",
    reason="",
    reservation=None,
)
PARTITION = Partition(
    name="interactive",
    nodes=("gpu1", "gpu2"),
    max_time=480,
    default_time=60,
    oversubscribe=5,
    state="UP",
)
RELEASE = Release(
    name="2026.11",
    date=dt.date(2026, 11, 16),
    layer="4.6-1",
    environments=(
        Environment("python", "Python 3.13", "python", "python3", "/opt/berth/x", {"python": "3.13.5"}),
    ),
    jupyter_path="/opt/berth/releases/2026.11/x/share/jupyter",
    conda=None,
    ends=None,
    hidden=False,
    bytes=1_000_000,
    files=1000,
    contents="/opt/berth/releases/2026.11/contents-x.json",
)


def job(**changes: Any) -> Job:
    return replace(JOB, **changes)


def node(**changes: Any) -> Node:
    return replace(NODE, **changes)


def reservation(**changes: Any) -> Reservation:
    base = Reservation(
        name="course",
        users=(),
        accounts=("proj_b",),
        groups=(),
        partition="interactive",
        nodes=("gpu2",),
        start=int(NOW) - 10,
        end=int(NOW) + 3600,
        flags=(),
    )
    return replace(base, **changes)


def snapshot(**changes: Any) -> Snapshot:
    base = Snapshot(
        partition=PARTITION,
        nodes=(NODE, node(name="gpu2", address="198.18.0.12")),
        reservations=(reservation(),),
        associations=(
            Association("alice", "proj_b", None, is_default=False, qos=("normal",)),
            Association("alice", "proj_a", None, is_default=True, qos=("normal",)),
            Association("bob", "proj_b", None, is_default=True, qos=("normal",)),
        ),
        jobs_part=Part(NOW),
        nodes_part=Part(NOW),
        accounts_part=Part(NOW),
    )
    return replace(base, **changes)


FORM = settings.FormSettings.model_validate(
    {
        "cores": {"default": 1, "choices": [1, 2, 4, 64]},
        "memory": {"default": "1000M", "choices": ["500M", "1000M", "4000M", "1T"]},
        "gpus": {"default": 1, "choices": [0, 1, 2, 8]},
        "time": {"default": "01:00:00", "choices": ["00:30:00", "01:00:00", "08:00:00", "2-00:00:00"]},
        "interfaces": [{"name": "lab", "title": "JupyterLab", "url": "/lab"}],
    },
)
HUB = settings.HubSettings.model_validate(
    {
        "public_url": "https://hub.example.org",
        "session_hub_url": "https://hub.example.org:8444",
        "slurm": {"partition": "interactive"},
    },
)
