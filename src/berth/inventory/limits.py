"""Limits of a user: those that Slurm would refuse, and choices of the form that no user may ever have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from berth.inventory.form import understood
from berth.slurm import limits, units
from berth.slurm.errors import SlurmValueError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from berth.inventory.mistakes import Mistake
    from berth.inventory.site import View

_LIMITS = "slurm_interactive_limits"
_FIELDS: dict[str, tuple[str, Callable[[str], int | None] | None]] = {
    "spawner_form_gpus": ("gpus_per_user", None),
    "spawner_form_cores": ("cores_per_user", None),
    "spawner_form_memory": ("memory_per_user", units.mebibytes),
    "spawner_form_time": ("max_time", units.minutes),
}


def meaningful(view: View) -> Iterator[Mistake]:
    """Find limits that have no meaning."""
    try:
        limits.changes(view.mapping(_LIMITS))
    except SlurmValueError as error:
        fix = "Write limits as roles/slurm_interactive/README.md lists them"
        yield view.mistake((_LIMITS,), f"{_LIMITS}: {error}", fix)


def offered(view: View) -> Iterator[Mistake]:
    """Find choices above the limit of a user: Slurm would refuse them, or let them wait for ever."""
    said = view.mapping(_LIMITS)
    for name, (key, read) in _FIELDS.items():
        if key not in said:
            continue
        try:
            limit = read(str(said[key])) if read else said[key]
        except SlurmValueError:
            continue
        for number, choice, value in understood(view, name):
            if isinstance(limit, int) and value > limit:
                problem = f"{name} offers {choice}, but {_LIMITS} allows a user {key} {said[key]}"
                yield view.mistake(
                    (name, "choices", number), problem, f"Take {choice} out, or raise the limit"
                )
