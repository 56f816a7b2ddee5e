"""Nodes, jobs and reservations with only what a test cares about spelled out."""

from __future__ import annotations

from typing import Any

from berth.slurm.answers import records
from berth.slurm.answers.records import Job, Node, Reservation
from tests.unit.slurm import recorded

NOW = 1000.0


def node(name: str = "n1", *states: str, **more: Any) -> Node:
    known: dict[str, Any] = {"cpus": 4, "memory_mib": 4000, "alloc_memory_mib": 0, "alloc_cpus": 0}
    return Node(name=name, states=frozenset(states or {"IDLE"}), **(known | more))


def job(number: int = 1, cpus: int = 1, *nodes: str, **more: Any) -> Job:
    known: dict[str, Any] = {
        "user": "u",
        "account": "a",
        "partition": "p",
        "state": "RUNNING",
        "memory_mib": 100,
    }
    return Job(job_id=number, name="j", cpus=cpus, nodes=nodes or ("n1",), **(known | more))


def waiting(reason: str, **more: Any) -> Job:
    return Job(1, "j", "u", "a", "p", "PENDING", reason=reason, cpus=1, memory_mib=100, **more)


def held(name: str = "course", start: int = 0, end: int = 5000, *nodes: str, **more: Any) -> Reservation:
    return Reservation(name, (), (), (), None, nodes or ("n1",), start, end, **more)


def gpu_nodes() -> dict[str, Node]:
    return {item.name: item for item in records.parse_nodes(recorded.document("24.11", "gpus-nodes"))}


def gpu_jobs() -> list[Job]:
    return records.parse_jobs(recorded.document("24.11", "gpus-squeue"))
