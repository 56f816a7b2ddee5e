"""The end of what nobody uses, by Jupyter's own means: kernels, terminals, then the session.

Never a busy kernel, and never a terminal in which something runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

LOOK_SECONDS: Final = 30
"""How often Jupyter looks at kernels and terminals; at the session itself it looks once a minute."""


def config(minutes: int) -> dict[str, dict[str, Any]]:
    """Give the configuration that ends what was idle for so long; 0: nothing is ended."""
    if minutes == 0:
        return {}
    seconds = minutes * 60
    return {
        "MappingKernelManager": {
            "cull_idle_timeout": seconds,
            "cull_interval": LOOK_SECONDS,
            "cull_busy": False,
            # A notebook that is only open does not use its kernel.
            "cull_connected": True,
        },
        "TerminalManager": {"cull_inactive_timeout": seconds, "cull_interval": LOOK_SECONDS},
        "TerminalsExtensionApp": {
            "terminal_manager_class": "berth.session.terminals.SessionTerminals",
        },
        "ServerApp": {"shutdown_no_activity_timeout": seconds},
    }


def soonest(kernels: Any, minutes: int, now: dt.datetime) -> dict[str, Any] | None:  # noqa: ANN401 - untyped
    """Give the idle kernel that is ended first: its name and the seconds left; None where none will be."""
    if minutes == 0:
        return None
    return min(_waiting(kernels, minutes * 60, now), key=lambda item: item["left"], default=None)


def _waiting(kernels: Any, seconds: int, now: dt.datetime) -> Iterator[dict[str, Any]]:  # noqa: ANN401
    for kernel_id in kernels.list_kernel_ids():
        kernel = kernels.get_kernel(kernel_id)
        if getattr(kernel, "execution_state", "busy") == "busy":
            continue
        idle = (now - kernel.last_activity).total_seconds()
        yield {"kernel": kernel.kernel_name, "minutes": seconds // 60, "left": max(0, int(seconds - idle))}
