"""Kernels: which ones are shown, and how they are started."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_server.services.kernels.kernelmanager import ServerKernelManager
from traitlets import Integer, Unicode, default

if TYPE_CHECKING:
    from collections.abc import Sequence

_RAISE: Final = 'echo "$1" > /proc/self/oom_score_adj; shift; exec "$@"'


def first_to_go(oom_score_adj: int, command: Sequence[str]) -> list[str]:
    """Wrap a command so that memory's end takes it, and not the server, if it takes either."""
    return ["/bin/sh", "-c", _RAISE, "berth-child", str(oom_score_adj), *command]


class SessionKernelSpecs(KernelSpecManager):  # type: ignore[misc, unused-ignore]
    """Finds the kernels of the session's release and the user's own, and no others.

    Not the layer's own Python (it may be replaced any day), nor what a node happens to have in
    /usr/share/jupyter. The release comes first: it was chosen in the form, and a kernel of the
    same name in the home must not hide it.
    """

    release_kernels = Unicode(config=True, help="directory with the kernels of the session's release")

    @default("ensure_native_kernel")
    def _no_native_kernel(self) -> bool:
        return False

    @default("kernel_dirs")
    def _release_then_user(self) -> list[str]:
        own = Path.home() / ".local" / "share" / "jupyter" / "kernels"
        return [self.release_kernels, str(own)]


class SessionKernelManager(ServerKernelManager):  # type: ignore[misc, unused-ignore]
    """Starts a kernel as the first candidate when memory ends, and as its kernelspec says."""

    oom_score_adj = Integer(500, config=True, help="oom_score_adj of kernels; the server keeps its own")

    def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
        """Give the command of the kernel."""
        command: list[str] = super().format_kernel_cmd(extra_arguments)
        asked = self.kernel_spec.argv[0] if self.kernel_spec is not None else ""
        if command[0] == sys.executable != asked:
            command[0] = asked  # a bare `python` means the one on the user's PATH, not the layer's own
        return first_to_go(self.oom_score_adj, command)


def config(jupyter_path: str, oom_score_adj: int) -> dict[str, dict[str, Any]]:
    """Give the configuration that makes a server use these classes, over unix sockets (ipc)."""
    manager = f"{__name__}.{SessionKernelManager.__name__}"
    return {
        "ServerApp": {"kernel_spec_manager_class": f"{__name__}.{SessionKernelSpecs.__name__}"},
        "MappingKernelManager": {"kernel_manager_class": manager},
        "KernelManager": {"transport": "ipc"},
        "SessionKernelSpecs": {"release_kernels": f"{jupyter_path}/kernels"},
        "SessionKernelManager": {"oom_score_adj": oom_score_adj},
    }
