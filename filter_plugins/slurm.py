"""Ansible's door to :mod:`berth.slurm`: the same grammar that the hub uses at run time.

Every filter is a pure function of plain data; each has a sidecar ``<name>.yml`` beside this file.
"""

from __future__ import annotations

import sys
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleFilterError

# A bare clone must work: Ansible loads this file by its path, nothing is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from berth.slurm.config import conf, conffile, limits, rows
from berth.slurm.errors import SlurmValueError
from berth.slurm.existing import drift, review
from berth.slurm.notation import hostlist, units

if TYPE_CHECKING:
    from collections.abc import Callable

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "slurm_minutes": units.minutes,
    "slurm_duration": units.duration,
    "slurm_mebibytes": units.mebibytes,
    "slurm_hostlist": hostlist.fold,
    "slurm_hostnames": hostlist.expand,
    "slurm_nodes": rows.nodes,
    "slurm_gres": rows.gres,
    "slurm_gres_types": rows.gres_types,
    "slurm_partitions": rows.partitions,
    "slurm_line": conf.line,
    "slurm_limits": limits.changes,
    "slurm_conf_texts": conffile.texts,
    "slurm_conf_includes": conffile.to_read,
    "slurm_conf_unreadable": review.unreadable,
    "slurm_existing_review": review.review,
    "slurm_drift": drift.compare,
    "slurm_devices": drift.files,
}


def _filter(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return *function* with its own error, and no other, turned into Ansible's."""

    @wraps(function)
    def run(*values: object) -> object:
        try:
            return function(*values)
        except SlurmValueError as error:
            message = f"{name}: {error}"
            raise AnsibleFilterError(message) from error

    return run


class FilterModule:
    """What Ansible looks for in a file of filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {name: _filter(name, function) for name, function in _FUNCTIONS.items()}
