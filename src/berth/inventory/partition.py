"""The partition: limits that contradict each other, or that no node can meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from berth.inventory.nodes import sizes
from berth.inventory.reading import meaning
from berth.slurm.config import limits, rows
from berth.slurm.errors import SlurmValueError
from berth.slurm.notation import units

if TYPE_CHECKING:
    from collections.abc import Iterator

    from berth.inventory.mistakes import Mistake
    from berth.inventory.site import View

MAX_TIME = "slurm_interactive_max_time"
_DEFAULT_TIME = "slurm_interactive_default_time"
_MEMORY = "slurm_interactive_default_memory_per_cpu"
_LIMITS = "slurm_interactive_limits"
_SHARED_BY = "slurm_interactive_shared_by"
_MAX_SHARED_BY = 64  # as many as the form's settings take


def sharing(view: View) -> Iterator[Mistake]:
    """Find a number of sessions a core that makes no sense."""
    shared = view.number(_SHARED_BY)
    if not 1 <= shared <= _MAX_SHARED_BY:
        fix = f"Write a number from 1 to {_MAX_SHARED_BY}"
        yield view.mistake((_SHARED_BY,), f"{_SHARED_BY} is {shared}", fix)


def times(view: View) -> Iterator[Mistake]:
    """Find a default time that never ends, or that is longer than the limit."""
    default = meaning(view, _DEFAULT_TIME, units.minutes)
    if default is None:
        problem = f"{_DEFAULT_TIME} is {view.text(_DEFAULT_TIME)}, which never ends"
        yield view.mistake((_DEFAULT_TIME,), problem, 'Write a time such as "01:00:00"')
        return
    limit = meaning(view, MAX_TIME, units.minutes)
    if limit is not None and default > limit:
        problem = f"{_DEFAULT_TIME} is {view.text(_DEFAULT_TIME)}, longer than {MAX_TIME}"
        yield view.mistake((_DEFAULT_TIME,), problem, f'Write "{view.text(MAX_TIME)}" or less')


def default_memory(view: View) -> Iterator[Mistake]:
    """Find a default memory that no node has: a job that asks for none could never start."""
    memory = meaning(view, _MEMORY, units.mebibytes)
    largest = max((size.memory for size in sizes(view)), default=memory)
    if memory > largest:
        problem = f"{_MEMORY} is {view.text(_MEMORY)}, more than any node has"
        fix = f"Write {units.format_mebibytes(largest)} or less, such as a node's memory by its sessions"
        yield view.mistake((_MEMORY,), problem, fix)


def options(view: View) -> Iterator[Mistake]:
    """Find further parameters of the partition that variables of the role set already."""
    name = "slurm_interactive_partition_options"
    partition: dict[str, object] = {"name": "p", "nodes": "ALL", "oversubscribe": "FORCE:1", "max_time": "1"}
    partition |= {"default_time": "1", "default_memory_per_cpu": "1", "default": True}
    node: dict[str, object] = {"name": "n", "cpus": 1, "memory": "1"}
    for key in view.mapping(name):
        try:
            rows.partitions([{**partition, "options": {key: "x"}}], [node])
        except SlurmValueError:
            problem = f"{name} sets {key}, which another variable of the role sets"
            yield view.mistake((name, key), problem, f"Take {key} out and set that variable")


def limited(view: View) -> Iterator[Mistake]:
    """Find limits of a user that are no limits."""
    try:
        limits.changes(view.mapping(_LIMITS))
    except SlurmValueError as error:
        fix = "Write limits as roles/slurm_interactive/README.md lists them"
        yield view.mistake((_LIMITS,), f"{_LIMITS}: {error}", fix)


def same_everywhere(views: list[View]) -> Iterator[Mistake]:
    """Find variables that differ between hosts: Slurm needs one configuration everywhere."""
    first = views[0]
    for name in first.site.roles["slurm_interactive"].options:
        if name.endswith("_enabled"):
            continue  # a host's own
        for view in views[1:]:
            if _set(view, name) != _set(first, name):
                here, there = sorted([first, view], key=lambda one: one.given(name), reverse=True)
                other = there.place(name) if there.given(name) else "not set"
                problem = f"{name} is another on {here.host.name} than on {there.host.name} ({other})"
                fix = "Set it once, in group_vars/all/slurm_interactive.yml"
                yield here.mistake((name,), problem, fix)
                break


def _set(view: View, name: str) -> list[object]:
    return [view.value(name)] if view.given(name) else []
