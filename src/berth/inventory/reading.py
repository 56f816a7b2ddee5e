"""Reading Slurm's notation in variables, and turning the errors of `berth.slurm` into mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from berth.inventory.mistakes import Mistake, Path, nearest
from berth.inventory.site import Unknown, View
from berth.slurm.config import conf
from berth.slurm.errors import SlurmValueError
from berth.slurm.notation import units

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

_NOTATIONS: dict[str, Callable[[str], object]] = {
    "slurm_interactive_max_time": units.minutes,
    "slurm_interactive_default_time": units.minutes,
    "slurm_interactive_default_memory_per_cpu": units.mebibytes,
}
_PARAMETERS = (
    "slurm_interactive_partition_options",
    "slurm_interactive_cgroup_config",
    "slurm_cluster_config",
)


def meaning(view: View, name: str, read: Callable[[str], T]) -> T:
    """Return what the text of a variable means; raises `Unknown` where `notations` reports it."""
    try:
        return read(view.text(name))
    except SlurmValueError as error:
        raise Unknown(name) from error


def notations(view: View) -> Iterator[Mistake]:
    """Find times and sizes that are not in Slurm's notation."""
    for name, read in _NOTATIONS.items():
        text = view.value(name)
        if not isinstance(text, str):
            continue  # its shape is reported
        try:
            read(text)
        except SlurmValueError as error:
            problem, fix = sentences(error)
            yield view.mistake((name,), f"{name}: {problem}", fix)


def parameters(view: View) -> Iterator[Mistake]:
    """Find parameters of Slurm's files that Slurm could not read back."""
    for name in _PARAMETERS:
        given = view.value(name)
        for key, value in given.items() if isinstance(given, dict) else ():
            try:
                conf.line({key: value})
            except SlurmValueError as error:
                problem, fix = sentences(error)
                fix = fix or "Write one value, or a list of values, as it shall stand in Slurm's file"
                yield view.mistake((name, key), f"{name}: {problem}", fix)


def sentences(error: SlurmValueError) -> tuple[str, str]:
    """Split an error into what is wrong and, where it says so, what to write."""
    problem, _, fix = str(error).partition("; ")
    return problem, fix[:1].upper() + fix[1:]


def of_key(key: str, known: str) -> str:
    """Return the fix for an unknown *key*, given the list of those that are known."""
    near = nearest(key, known.split(", "), 0.6)
    return f"Write {near}" if near else f"Known are {known}"


def explained(view: View, path: Path, error: SlurmValueError, fixes: dict[str, str]) -> Mistake:
    """Turn the error about a description into a mistake; *path* leads to the description."""
    problem, fix = sentences(error)
    at = error.at[1:]
    keys = [key for key in at if isinstance(key, str)]
    if fix.startswith("Known: "):
        problem = f"{problem.partition(': unknown key ')[0]}: unknown key {keys[-1]}"
        fix = of_key(keys[-1], fix.removeprefix("Known: "))
    fix = fix or fixes.get(keys[-1] if keys else "", "Write it as `ansible-doc -t filter slurm_nodes` says")
    return view.mistake((*path, *at), problem, fix)
