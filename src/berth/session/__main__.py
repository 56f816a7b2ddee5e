"""Start of a session on its compute node: ``python -I -m berth.session``, from the layer's script."""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from berth import journal
from berth.releases import catalogue
from berth.session import assignment, preparations, runtime, settings, sockets
from berth.session.errors import SessionError
from berth.session.launch import Launch
from berth.session.profile import Profile

if TYPE_CHECKING:
    from types import FrameType


_AGAIN_SECONDS: Final = 3


def main() -> int:
    """Run one session; give the job's exit code."""
    signal.signal(signal.SIGTERM, _leave)  # until the server has its own handler
    try:
        orders = assignment.read(os.environ)
        layer = settings.load(Path(sys.prefix) / "etc" / "session.json")
        signal.pthread_sigmask(signal.SIG_BLOCK, runtime.ENDING)
        with runtime.create([layer.runtime_dir, "/tmp", "/dev/shm"]) as private:  # noqa: S108
            signal.pthread_sigmask(signal.SIG_UNBLOCK, runtime.ENDING)
            log = runtime.open_log(
                orders.home, private.path, orders.job_id, kept=layer.logs_kept, days=layer.log_days
            )
            faulthandler.enable()
            _log_to_stderr()
            _tell("session-starts", orders, node=os.uname().nodename, release=orders.release)
            code = _serve(orders, layer, private.path, log)
            _tell("session-ends", orders, exit_code=code)
            return code
    except (SessionError, catalogue.CatalogueError) as error:
        sys.stderr.write(f"the session cannot start: {error}\n")
        return 1


def _tell(name: str, orders: assignment.Assignment, **fields: object) -> None:
    """Log an event with the words under which the hub's journal has this session."""
    about = {"session": orders.session, "user": orders.user, "job_id": orders.job_id}
    journal.event(logging.getLogger("berth"), name, **about, **fields)


def _serve(orders: assignment.Assignment, layer: settings.Settings, private: Path, log: Path) -> int:
    releases = catalogue.load(orders.releases_index)
    release = catalogue.find(releases, orders.release)
    listener = sockets.listen(orders.ports)
    tools = f"{sys.prefix}/libexec/berth"
    conda = f":{release.conda}/condabin" if release.conda else ""
    path = f"{os.environ.get('PATH', os.defpath)}{conda}:{tools}"
    assignment.scrub(os.environ)
    os.environ.update({"BERTH_CONDA": release.conda or "", "BERTH_TOOLS": tools, "PATH": path})
    for area in layer.areas:
        if (place := area.path(orders.user, orders.account)) is not None:
            os.environ[area.name.upper()] = place
    profile = Profile(Path(layer.profile), os.environ)
    os.environ.update(
        {
            "JUPYTER_PATH": release.jupyter_path,
            "JUPYTER_RUNTIME_DIR": str(private),
            "JUPYTERHUB_DISABLE_USER_CONFIG": "1",
            "JUPYTERHUB_SERVICE_URL": f"http://0.0.0.0:{sockets.port_of(listener)}{orders.base_url}",
            # JupyterLab runs node at import where it finds one: 0.6 s that a session does not need.
            "PATH": f"{sys.prefix}/bin",
        }
    )
    _enter(orders.home)
    # Late on purpose: from here on the socket is bound, and this takes nearly all of the time.
    from berth.session.server import serve  # noqa: PLC0415

    return serve(
        Launch(
            assignment=orders,
            settings=layer,
            layer=Path(sys.prefix),
            listener=listener,
            runtime=private,
            log=log,
            release=release,
            installed=frozenset(item.name for item in releases),
            preparations=preparations.find(release.environments, orders.home),
            profile=profile,
            path=path,
        )
    )


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("[%(levelname).1s %(asctime)s berth] %(message)s"))
    logger = logging.getLogger("berth")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def _enter(home: Path) -> None:
    try:
        os.chdir(home)
    except OSError as error:
        sys.stderr.write(f"the home cannot be entered: {error}\n")
        os.chdir("/")


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    """End the session; again after a while: Python swallows what is raised within some of its callbacks."""
    signal.signal(signal.SIGALRM, _leave)
    signal.alarm(_AGAIN_SECONDS)
    raise SystemExit(143)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # All is cleaned up: nothing that the interpreter would still wait for may keep the job from ending.
    os._exit(status)
