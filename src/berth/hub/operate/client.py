"""The operator's side: commands ask the hub by its REST API, as root on its host or with an admin's token."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from berth.hub import settings

if TYPE_CHECKING:
    import argparse

KEY_FILE: Final = "operator.env"
"""Beside the hub's settings, readable by root only; the hub's unit reads it, too."""
KEY_NAME: Final = "BERTH_OPERATOR_TOKEN"
SECONDS: Final = 60.0
"""How long an answer may take."""


class AskError(Exception):
    """The hub did not do what was asked for; the text is a sentence."""


@dataclass(frozen=True)
class Hub:
    """A hub, and the token that is shown to it."""

    url: str
    """Without a slash at its end."""
    token: str

    def ask(self, method: str, path: str, document: object = None) -> Any:  # noqa: ANN401 - any JSON
        """Return the answer to a request below `/hub/api/berth/`. Raises AskError."""
        request = urllib.request.Request(  # noqa: S310 - http or https, see `of`
            f"{self.url}/hub/api/berth/{path}",
            method=method,
            data=None if document is None else json.dumps(document).encode(),
            headers={"Authorization": f"token {self.token}", "Content-Type": "application/json"},
        )
        # The hub is on this host, or where it was said to be: no proxy of the environment comes in between.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=SECONDS) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise AskError(_sentence(error)) from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise AskError(f"The hub does not answer at {self.url}: {reason}") from error


def _sentence(error: urllib.error.HTTPError) -> str:
    try:
        said = str(json.loads(error.read())["message"])
    except (OSError, ValueError, KeyError, TypeError):
        said = str(error.reason)
    if error.code == 403:  # noqa: PLR2004 - Forbidden
        return f"The hub refuses: {said} (the token has to be an admin's)"
    return said


def register(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which hub is asked."""
    directory = Path("/etc/berth")
    parser.add_argument(
        "--settings", type=Path, default=directory, metavar="DIR", help="the hub's, read as root on its host"
    )
    parser.add_argument(
        "--hub", default="", metavar="URL", help="another hub, or this one without being root"
    )
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="an admin's token, for --hub")


def of(options: argparse.Namespace) -> Hub:
    """Return the hub that is meant. Raises AskError."""
    if bool(options.hub) != bool(options.token_file):
        raise AskError("Give --hub and --token-file together.")
    try:
        if options.hub:
            if not options.hub.startswith(("https://", "http://")):
                raise AskError(f"{options.hub} is not an address; write https://name.")
            return Hub(options.hub.rstrip("/"), options.token_file.read_text(encoding="utf-8").strip())
        found, _ = settings.load(options.settings)
        line = (options.settings / KEY_FILE).read_text(encoding="utf-8").strip()
    except (OSError, settings.SettingsError) as error:
        if not options.hub and os.geteuid():
            raise AskError(
                "Run this as root on the hub's host, or give --hub URL and --token-file FILE, the token "
                "of an admin of the hub."
            ) from error
        raise AskError(str(error)) from error
    return Hub(f"http://127.0.0.1:{found.hub_port}", line.removeprefix(f"{KEY_NAME}="))


def complain(command: str, error: Exception) -> int:
    """Say why a command failed; return its status."""
    sys.stderr.write(f"berth {command}: {error}\n")
    return 1
