"""The site's environment for kernels and terminals, evaluated from a root-owned shell profile."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping
    from pathlib import Path

_LOG: Final = logging.getLogger(__name__)
_TIMEOUT_SECONDS: Final = 10.0
_SHELLS_OWN: Final = frozenset({"_", "SHLVL", "PWD", "OLDPWD"})
_SCRIPT: Final = '. "$1" >&2 || exit; exec env -0'


class Profile:
    """One evaluation of the profile, running beside the server's start.

    Started at once, collected when the server is loaded: the site's own set-up (`module` and the
    like may take a while) then costs the session no time of its own.
    """

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        """Start to evaluate `path` in `environ`; without such a file there is nothing to do."""
        self._path = path
        self._before = dict(environ)
        self._process: subprocess.Popen[bytes] | None = None
        if path.is_file():
            self._process = subprocess.Popen(
                ["/bin/bash", "--noprofile", "--norc", "-c", _SCRIPT, "profile", str(path)],
                env=self._before,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )

    def apply(self, environ: MutableMapping[str, str]) -> None:
        """Bring what the profile set, changed or unset into `environ`; a failure is only logged."""
        if self._process is None:
            return
        environ["BASH_ENV"] = str(self._path)
        try:
            output, _ = self._process.communicate(timeout=_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            _LOG.error("%s took over %d s: the site's environment is missing", self._path, _TIMEOUT_SECONDS)
            return
        if self._process.returncode != 0:
            _LOG.error("%s failed: the site's environment is missing", self._path)
            return
        after = _variables(output)
        for name in self._before.keys() - after.keys() - _SHELLS_OWN:
            environ.pop(name, None)
        for name in after.keys() - _SHELLS_OWN:
            if self._before.get(name) != after[name]:
                environ[name] = after[name]


def _variables(output: bytes) -> dict[str, str]:
    pairs = (os.fsdecode(item).partition("=") for item in output.split(b"\0") if item)
    return {name: value for name, _, value in pairs}
