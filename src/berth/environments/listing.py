"""`berth env list`: every kernel of the user's own, its state, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from berth.environments import faults, own

if TYPE_CHECKING:
    from collections.abc import Iterable

    from berth.environments.context import Context

OK, WARNING, BROKEN = "ok", "warning", "broken"


@dataclass(frozen=True)
class Row:
    """One kernel: `state` is ok, warning or broken, `what` a sentence unless it is ok."""

    name: str
    display_name: str
    state: str
    interpreter: str
    what: str


def rows(context: Context) -> list[Row]:
    """Look at every kernel in the home."""
    return [_row(kernel, context) for kernel in own.find(context.home)]


def text(found: Iterable[Row]) -> str:
    """Give the rows as lines for people."""
    listed = list(found)
    width = max((len(row.name) for row in listed), default=0)
    lines = []
    for row in listed:
        lines.append(f"{row.name:{width}}  {row.state:7}  {row.interpreter}")
        if row.what:
            lines.append(f"{'':{width}}  {row.what}")
    return "\n".join(lines) or "You have no kernels of your own; berth env create NAME makes one."


def _row(kernel: own.Kernel, context: Context) -> Row:
    state, what = BROKEN, faults.fault(kernel, context.releases)
    if what is None:
        state, what = WARNING, faults.warning(kernel, context.releases)
    if what is None and kernel.name.lower() in context.kernels:
        what = f"release {context.release} has a kernel of this name, which is shown instead"
    program = kernel.interpreter or next(iter(kernel.argv), "-")
    return Row(kernel.name, kernel.display_name, state if what else OK, str(program), what or "")
