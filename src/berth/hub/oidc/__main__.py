"""Asks the site's provider what the hub asks it, and says what is wrong: `python -m berth.hub.oidc [DIR]`."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import urllib.request
from pathlib import Path
from typing import Any, Final

from berth.hub import settings
from berth.hub.oidc.discovery import Discovery, ProviderError

TIMEOUT_SECONDS: Final = 20
OK, WRONG = 0, 1


async def check(directory: Path) -> str:
    """Return a line about the provider of the settings in a directory.

    Raises SettingsError or ProviderError with what is wrong.
    """
    hub, _ = settings.load(directory)
    if hub.oidc is None:
        return "Users log in with the cluster's password."
    trust = ssl.create_default_context(cafile=str(hub.oidc.ca) if hub.oidc.ca else None)

    def get(url: str) -> Any:  # noqa: ANN401 - JSON
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS, context=trust) as answer:  # noqa: S310 - https
            return json.load(answer)

    async def fetch(url: str) -> Any:  # noqa: ANN401 - JSON
        return await asyncio.to_thread(get, url)

    discovery = Discovery(hub.oidc.issuer, fetch)
    provider = await discovery.provider()
    await discovery.keys()
    logout = "" if provider.end_session_endpoint or not hub.oidc.logout else " It has no log-out of its own."
    return f"Users sign in at {provider.issuer}.{logout}"


def main(arguments: list[str]) -> int:
    """Say it; the only argument is another directory than `/etc/berth`."""
    try:
        line = asyncio.run(check(Path(arguments[0] if arguments else "/etc/berth")))
    except (settings.SettingsError, ProviderError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command's answer
        return WRONG
    print(line)  # noqa: T201 - the same
    return OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
