"""Environments that are prepared in the user's home while the session serves, and how far each one is."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from berth.releases.catalogue import Environment

_LOG: Final = logging.getLogger(__name__)
_HOOKS: Final = Path(__file__).with_name("hooks")


class State(Enum):
    """How far an environment is prepared; the value is what its kernel's name says."""

    READY = ""
    RUNNING = "being prepared"
    FAILED = "not prepared"


@dataclass
class Preparation:
    """One environment that needs preparing: its hook, where the result goes, and who makes it.

    `variables` are those that its kernel is started with.
    """

    display_name: str
    prefix: Path
    hook: Path
    final: Path
    log: Path
    variables: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None

    @property
    def state(self) -> State:
        """How far it is, by what is in the home: another session may have finished it."""
        if self.final.is_dir():
            return State.READY
        if self.process is not None and self.process.poll() is None:
            return State.RUNNING
        return State.FAILED

    @property
    def problem(self) -> str | None:
        """Why the kernel cannot start, as a sentence for the user; None when it can."""
        state = self.state
        if state is State.READY:
            return None
        if state is State.RUNNING:
            return (
                f"{self.display_name} is being prepared in your home, which takes some minutes the first "
                f"time. Refresh the page until its name does not say so any more; progress: {self.log}"
            )
        return (
            f"{self.display_name} could not be prepared in your home. {self.log} says why; "
            "the next session tries again."
        )

    def start(self, environ: Mapping[str, str], oom_score_adj: int) -> None:
        """Prepare it in the background, if it is not; a failure is only logged."""
        if self.final.is_dir():
            return
        command = [sys.executable, "-I", "-m", "berth.session.prepare", str(self.hook), str(self.final)]
        path = f"{self.prefix / 'bin'}:{environ.get('PATH', os.defpath)}"
        script = 'echo "$1" > /proc/self/oom_score_adj; shift; exec nice -n 19 "$@"'
        try:
            self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self.log.open("ab") as log:  # another session may be writing there
                self.process = subprocess.Popen(
                    ["/bin/sh", "-c", script, "prepare", str(oom_score_adj), *command],
                    env={**environ, "PATH": path},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as error:
            _LOG.error("%s cannot be prepared: %s", self.display_name, error)

    def stop(self) -> None:
        """End it; the next session goes on."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()


def find(environments: Iterable[Environment], home: Path) -> dict[str, Preparation]:
    """Give what is to be prepared of a release, by the name of its kernel."""
    found = {}
    for environment in environments:
        hook = _hook(environment)
        if hook is None:
            continue
        described = _described(hook.with_suffix(".json"))
        if described is None:
            continue
        directory, variables = described
        prefix = Path(environment.prefix)
        final = home / directory / prefix.name
        places = {"{home}": str(home), "{final}": str(final), "{prefix}": str(prefix)}
        for name, value in variables.items():
            for mark, place in places.items():
                value = value.replace(mark, place)  # noqa: PLW2901 - one mark after the other
            variables[name] = value
        log = home / ".berth" / "log" / f"prepare-{prefix.name}.log"
        found[environment.kernel] = Preparation(
            environment.display_name, prefix, hook, final, log, {**variables, "BERTH_PREPARED": str(final)}
        )
    return found


def _hook(environment: Environment) -> Path | None:
    """Give the environment's own hook, or ours for a language whose kernel no channel has."""
    prefix = Path(environment.prefix)
    shipped = prefix / "share" / "jupyter" / "kernels" / environment.kernel / "kernel.json"
    places = [prefix / "libexec" / "berth" / "prepare"]
    if not shipped.is_file():
        places.append(_HOOKS / environment.language / "prepare")
    return next((place for place in places if os.access(place, os.X_OK)), None)


def _described(path: Path) -> tuple[PurePosixPath, dict[str, str]] | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        directory = PurePosixPath(document["directory"])
        variables = {str(name): str(value) for name, value in document.get("environment", {}).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        _LOG.error("%s does not say where in the home its environment is prepared: %s", path, error)
        return None
    if directory.is_absolute() or ".." in directory.parts:
        _LOG.error("%s must name a directory in the home, not %s", path, directory)
        return None
    return directory, variables
