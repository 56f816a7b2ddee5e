"""The single-user server of JupyterHub, on a socket that is bound already, reporting by itself."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import secrets
import signal
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from jupyter_server.serverapp import ServerApp
from traitlets import Bool, default
from traitlets.config import Config

from berth.session import home, hub, idle, kernels, lean, logs, signatures, workbench
from berth.session.errors import SessionError
from berth.session.report import Outcome, report
from berth.session.sockets import port_of

if TYPE_CHECKING:
    from types import FrameType

    from berth.session.launch import Launch

with lean.imports():
    import jupyterlab.labapp  # noqa: F401 - the extension is loaded later, by its name
    from jupyterhub.services.auth import HubOAuth
    from jupyterhub.singleuser.extension import JupyterHubIdentityProvider, JupyterHubSingleUser

_LOG: Final = logging.getLogger(__name__)
_CLEANUP_SECONDS: Final = 10.0
_END_SECONDS: Final = 20
"""Slurm kills what is left KillWait (30 s by default) after it asked the job to end."""
_LABEXTENSIONS: Final = Path(workbench.__file__).with_name("labextensions")
_FORGOTTEN: Final = 3
"""Exit code of a session that the hub denies to know."""


def _end_anyway() -> None:
    """Have the process killed if it has not ended by itself in time."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_END_SECONDS)


class SessionServerApp(ServerApp):
    """A Jupyter server that serves on the session's socket and leaves nothing behind."""

    launch: ClassVar[Launch]
    no_browser_open_file = Bool(default_value=True)
    exit_code = 0
    _unused = False
    _farewell: asyncio.Future[None] | None = None

    async def ask_hub(self, order: str = "") -> tuple[int, dict[str, Any]]:
        """Give status and answer of the hub about this session, or to an order (a path below that).

        It may refuse an order (409). Raises whatever kept it from saying so.
        """
        assignment = self.launch.assignment
        method, url = ("POST" if order else "GET"), assignment.report_url + order
        status, answer = await hub.ask(method, url, assignment.token, {} if order else None)
        if status not in {HTTPStatus.OK, HTTPStatus.CONFLICT} or not isinstance(answer, dict):
            raise SessionError(f"the hub answers {status}")
        return status, answer

    @property
    def config_file_paths(self) -> list[str]:
        """Read configuration from the layer only: neither the home's nor the node's /etc/jupyter."""
        return [str(self.launch.layer / "etc" / "jupyter")]

    def _find_http_port(self) -> None:
        self.port = port_of(self.launch.listener)

    def _bind_http_server(self) -> None:
        self.http_server.add_sockets([self.launch.listener])

    def write_server_info_file(self) -> None:
        """Write nothing: that file would hold the session's token."""

    def stop(self, from_signal: bool = False) -> None:  # noqa: FBT001, FBT002 - the signature of the base class
        """Stop serving; whatever hangs then, the process ends."""
        if self._unused:
            self._farewell = asyncio.ensure_future(self._say_why_and_stop())
            return
        _end_anyway()
        super().stop(from_signal)

    def shutdown_no_activity(self) -> None:
        """Stop if nobody uses the session, as Jupyter finds out; the hub learns why first."""
        if self._farewell is not None:
            return
        self._unused = True
        try:
            super().shutdown_no_activity()
        finally:
            self._unused = False

    async def _say_why_and_stop(self) -> None:
        assignment, minutes = self.launch.assignment, self.launch.settings.idle_minutes
        try:
            await hub.ask("POST", assignment.report_url, assignment.token, {"idle_minutes": minutes})
        except (OSError, HTTPException, ValueError) as error:
            _LOG.warning("the hub does not learn why this session ends: %s", error)
        self.stop()

    def _signal_stop(self, sig: int, frame: FrameType | None) -> None:
        """Stop from the loop: a signal may come while a line is logged, and a second one cannot be then."""
        _end_anyway()
        self.io_loop.add_callback_from_signal(super()._signal_stop, sig, frame)

    async def _cleanup(self) -> None:
        try:
            await asyncio.wait_for(super()._cleanup(), _CLEANUP_SECONDS)
        except TimeoutError:
            _LOG.warning("kernels did not end within %d s; Slurm ends them", _CLEANUP_SECONDS)


class SessionIdentityProvider(JupyterHubIdentityProvider):  # type: ignore[misc, unused-ignore]
    """Users are identified by the hub; the token comes from memory, not from the environment."""

    @default("hub_auth")
    def _hub_auth_with_token(self) -> HubOAuth:
        return HubOAuth(parent=self, api_token=SessionServerApp.launch.assignment.token)


class SessionSingleUser(JupyterHubSingleUser):  # type: ignore[misc, unused-ignore]
    """The single-user extension, started with a session's `Launch`."""

    name = app_namespace = "jupyterhub-singleuser"
    serverapp_class = SessionServerApp
    load_other_extensions = False
    _report_task: asyncio.Task[None] | None = None
    _reported = asyncio.Event()

    @classmethod
    def get_extension_package(cls) -> str:
        """Name the module that holds `_jupyter_server_extension_points` for this class."""
        return __name__

    @default("hub_auth")
    def _hub_auth_with_token(self) -> HubOAuth:
        return HubOAuth(parent=self, api_token=SessionServerApp.launch.assignment.token)

    def load_config_file(self) -> None:
        """Load the extension's configuration, then set the identity provider that has the token."""
        super().load_config_file()
        identity = Config({"ServerApp": {"identity_provider_class": SessionIdentityProvider}})
        self.config.merge(identity)
        self.serverapp.update_config(identity)

    async def keep_activity_updated(self) -> None:
        """Tell of activity as ever, but not before the session is reported, which is waited for."""
        await self._reported.wait()
        await super().keep_activity_updated()

    async def check_hub_version(self) -> None:
        """Ask nothing: it would cost a round trip, and a restarting hub would end the session.

        Hub and layer are deployed by one project; the answer to the report carries the version.
        """

    async def _start_jupyter_server_extension(self, serverapp: SessionServerApp) -> None:
        # The event loop runs and the socket is served from here on.
        launch = serverapp.launch
        await asyncio.to_thread(launch.profile.apply, os.environ)
        home.start(launch)
        self._report_task = asyncio.create_task(self._report(serverapp))

    async def _report(self, serverapp: SessionServerApp) -> None:
        launch = serverapp.launch
        message = {"port": port_of(launch.listener), "ready": True}

        async def send() -> int:
            status, _ = await hub.ask("POST", launch.assignment.report_url, launch.assignment.token, message)
            return status

        outcome = await report(send, launch.settings.refused_minutes * 60)
        if outcome is Outcome.ACKNOWLEDGED:
            _LOG.info("the hub knows that this session serves on port %d", message["port"])
            # Before its user's first request, which has to be checked by the hub.
            await asyncio.to_thread(importlib.import_module, "jupyterhub.httpclient")
            self._reported.set()
            await workbench.load_late(serverapp)
            return
        _LOG.critical(
            "the hub has denied to know this session for %d minutes: it ends", launch.settings.refused_minutes
        )
        serverapp.exit_code = _FORGOTTEN
        serverapp.stop()


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    return [{"module": __name__, "app": SessionSingleUser}]


def configuration(launch: Launch) -> Config:
    """Compose the server's configuration; nothing of it comes from files that users can write."""
    layer = launch.layer
    lab = layer / "share" / "jupyter"
    config = Config(kernels.config(launch))
    config.merge(Config(idle.config(launch.settings.idle_minutes)))
    config.ServerApp.update(
        jpserver_extensions=dict.fromkeys(launch.settings.extensions, True),
        root_dir=str(Path.cwd()),
        cookie_secret=secrets.token_bytes(32),
        terminado_settings={"shell_command": _shell(launch)},
    )
    config.NotebookNotary.db_file = str(signatures.bring(launch.assignment.home, launch.runtime))
    config.LabApp.update(
        app_dir=str(lab / "lab"),
        labextensions_path=[str(lab / "labextensions"), str(_LABEXTENSIONS)],
        extension_manager="readonly",
        check_for_updates_class="jupyterlab.NeverCheckForUpdate",
        news_url=None,
    )
    return config


def _shell(launch: Launch) -> list[str]:
    shell = os.environ.get("SHELL") or "/bin/bash"
    rcfile = Path(launch.settings.profile).with_name("bashrc")
    if not rcfile.is_file():
        command = [shell, "-l"]
    elif Path(shell).name == "bash":
        command = [shell, "--rcfile", str(rcfile)]
    else:
        # No login shell: that reads /etc/profile, which would undo what was set.
        command = ["/bin/bash", "--norc", "-c", '. "$1"; exec "$2"', "terminal", str(rcfile), shell]
    return kernels.first_to_go(launch.settings.kernel_oom_score_adj, command)


def serve(launch: Launch) -> int:
    """Run the server until it is stopped; give the job's exit code."""
    SessionServerApp.launch = launch
    logs.keep_clean()
    server = SessionSingleUser.initialize_server(argv=[], config=configuration(launch))
    # Only the imports had to do without the programs on the PATH.
    os.environ["PATH"] = launch.path
    server.start()
    home.stop(launch)
    code: int = server.exit_code
    return code
