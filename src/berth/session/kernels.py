"""Kernels: which ones are shown, and how they are started."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from textwrap import TextWrapper
from typing import TYPE_CHECKING, Any, ClassVar, Final

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_server.services.kernels.kernelmanager import ServerKernelManager
from tornado.web import HTTPError
from traitlets import Integer, Unicode, default

from berth.environments import own
from berth.environments.faults import Releases, fault
from berth.session.preparations import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from berth.session.launch import Launch
    from berth.session.preparations import Preparation

# Nothing is broken that users copy: no path, no command's option.
_BREAK: Final = TextWrapper(width=76, break_long_words=False, break_on_hyphens=False)
_RAISE: Final = 'echo "$1" > /proc/self/oom_score_adj; shift; exec "$@"'


class KernelProblemError(HTTPError):
    """A kernel cannot start; the text is a sentence for its user, which JupyterLab shows."""

    def __init__(self, sentence: str) -> None:
        """Take the sentence, which every API of the server passes on as it is.

        It is broken into lines: JupyterLab's dialog shows it as it is, and hides what does not fit into one.
        """
        lines = [_BREAK.fill(line) for line in sentence.splitlines()]
        super().__init__(500, "\n".join(lines))

    def __str__(self) -> str:
        """Give the sentence alone."""
        return self.log_message or ""


def first_to_go(oom_score_adj: int, command: Sequence[str]) -> list[str]:
    """Wrap a command so that memory's end takes it, and not the server, if it takes either."""
    return ["/bin/sh", "-c", _RAISE, "berth-child", str(oom_score_adj), *command]


class SessionKernelSpecs(KernelSpecManager):  # type: ignore[misc, unused-ignore]
    """Finds the kernels of the session's release and the user's own, and no others.

    Not the layer's own Python (it may be replaced any day), nor what a node happens to have in
    /usr/share/jupyter. The release comes first: it was chosen in the form, and a kernel of the
    same name in the home must not hide it. A kernel that cannot start says so in its name.
    """

    launch: ClassVar[Launch]

    @default("ensure_native_kernel")
    def _no_native_kernel(self) -> bool:
        return False

    @default("kernel_dirs")
    def _release_then_user(self) -> list[str]:
        return [f"{self.launch.release.jupyter_path}/kernels", str(own.directory(Path.home()))]

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Give a kernel; raises NoSuchKernel."""
        place = Path(self._find_spec_directory(kernel_name.lower()) or "/")
        if place.parent != own.directory(Path.home()):
            spec = super().get_kernel_spec(kernel_name)
            preparation = self.preparation(spec)
            if preparation is not None and preparation.state is not State.READY:
                spec.display_name += f" ({preparation.state.value})"
            return spec
        kernel = own.read(place)
        if kernel.unreadable:
            spec = KernelSpec(resource_dir=str(place), argv=["false"], display_name=kernel.display_name)
        else:
            spec = super().get_kernel_spec(kernel_name)
        if fault(kernel, _releases(self.launch), ask=False):
            spec.display_name += " (cannot start)"
        return spec

    def preparation(self, spec: KernelSpec) -> Preparation | None:
        """Give what has to be in the home before a kernel of the release can start."""
        place = Path(spec.resource_dir)
        if place.parent == own.directory(Path.home()):
            return None
        return self.launch.preparations.get(place.name)

    def problem(self, spec: KernelSpec) -> str | None:
        """Say why a kernel cannot start, as a sentence; None where nothing is known to be wrong."""
        preparation = self.preparation(spec)
        if preparation is not None:
            return preparation.problem
        place = Path(spec.resource_dir)
        if place.parent != own.directory(Path.home()):
            return None
        kernel = own.read(place)
        reason = fault(kernel, _releases(self.launch))
        return f"{kernel.display_name} cannot start: {reason}" if reason else None


class SessionKernelManager(ServerKernelManager):  # type: ignore[misc, unused-ignore]
    """Starts a kernel as the first candidate when memory ends, and as its kernelspec says."""

    history_file = Unicode(config=True, help="SQLite file of IPython's history, on the node's own disk")
    oom_score_adj = Integer(500, config=True, help="oom_score_adj of kernels; the server keeps its own")

    async def _async_pre_start_kernel(self, **options: Any) -> Any:  # noqa: ANN401 - as the base class
        """Refuse with the reason what would die without one."""
        specs: SessionKernelSpecs = self.kernel_spec_manager
        spec: Any = self.kernel_spec
        problem = await asyncio.to_thread(specs.problem, spec)
        if problem is not None:
            raise KernelProblemError(problem)
        return await super()._async_pre_start_kernel(**options)

    def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
        """Give the command of the kernel."""
        command: list[str] = super().format_kernel_cmd(extra_arguments)
        spec: Any = self.kernel_spec
        if command[0] == sys.executable != spec.argv[0]:
            command[0] = spec.argv[0]  # a bare `python` means the one on the user's PATH, not the layer's own
        if (preparation := self.kernel_spec_manager.preparation(spec)) is not None:
            # Behind the script that activates the environment: what that sets would win otherwise.
            place = 1 if command[0] == str(Path(spec.resource_dir) / "start") else 0
            variables = [f"{name}={value}" for name, value in preparation.variables.items()]
            command[place:place] = ["/usr/bin/env", *variables]
        if "ipykernel_launcher" in command:
            # IPython keeps its history in SQLite, whose locks fail or hang on network file systems.
            command.append(f"--HistoryManager.hist_file={self.history_file}")
        return first_to_go(self.oom_score_adj, command)


def _releases(launch: Launch) -> Releases:
    return Releases(launch.assignment.releases_index.parent, launch.installed)


def config(launch: Launch) -> dict[str, dict[str, Any]]:
    """Give the configuration that makes a server use these classes, over unix sockets (ipc)."""
    SessionKernelSpecs.launch = launch
    manager = f"{__name__}.{SessionKernelManager.__name__}"
    return {
        "ServerApp": {"kernel_spec_manager_class": f"{__name__}.{SessionKernelSpecs.__name__}"},
        "MappingKernelManager": {"kernel_manager_class": manager},
        "KernelManager": {"transport": "ipc"},
        "SessionKernelManager": {
            "oom_score_adj": launch.settings.kernel_oom_score_adj,
            "history_file": str(launch.runtime / "history.sqlite"),
        },
    }
