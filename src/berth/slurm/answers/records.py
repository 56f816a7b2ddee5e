"""Slurm's answers as typed records. The parsers are pure: they take what the client has decoded."""

from __future__ import annotations

from berth.slurm.answers.accounting import parse_sacct
from berth.slurm.answers.associations import Association, parse_associations
from berth.slurm.answers.controller import Controller, parse_controller
from berth.slurm.answers.jobs import Job, parse_jobs
from berth.slurm.answers.nodes import Node, parse_nodes
from berth.slurm.answers.partitions import Partition, parse_partitions
from berth.slurm.answers.qos import Qos, parse_qos
from berth.slurm.answers.reservations import Reservation, parse_reservations

__all__ = [
    "Association",
    "Controller",
    "Job",
    "Node",
    "Partition",
    "Qos",
    "Reservation",
    "parse_associations",
    "parse_controller",
    "parse_jobs",
    "parse_nodes",
    "parse_partitions",
    "parse_qos",
    "parse_reservations",
    "parse_sacct",
]
