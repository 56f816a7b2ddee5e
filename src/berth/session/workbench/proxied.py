"""Tools behind the session's own authentication, by jupyter-server-proxy.

Only the tools: that package's pages for any port of the node are left out, because whoever shares the node
could have a page of theirs shown there in the user's name.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from jupyter_server_proxy.config import ServerProcess, make_handlers
from jupyter_server_proxy.handlers import SuperviseAndProxyHandler
from tornado import web

from berth.session import kernels
from berth.session.workbench.tools import fill

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from berth.session.launch import Launch
    from berth.session.workbench.tools import Tool


def handlers(base_url: str, launch: Launch, tools: Sequence[Tool]) -> list[tuple[Any, ...]]:
    """Give the handlers of the tools' addresses."""
    processes = [_process(base_url, launch, tool) for tool in tools]
    made: list[tuple[Any, ...]] = make_handlers(base_url, processes)
    return made


def _process(base_url: str, launch: Launch, tool: Tool) -> ServerProcess:
    places = _places(base_url, launch, tool)

    def command() -> list[str]:
        tool.write_settings(places)
        argv = [fill(word, places) for word in tool.command]
        return _literal(kernels.first_to_go(launch.settings.kernel_oom_score_adj, argv))

    def environment() -> dict[str, str]:
        values = [fill(value, places) for value in tool.environment.values()]
        return dict(zip(tool.environment, _literal(values), strict=True))

    class Handler(SuperviseAndProxyHandler):  # type: ignore[misc, unused-ignore]
        """Starts the tool for whoever comes first; says so where it does not start."""

        async def ensure_process(self) -> None:
            try:
                await super().ensure_process()
            except Exception as error:
                raise web.HTTPError(
                    500, f"{tool.title} did not start ({error}). {launch.log} says why."
                ) from error

    class Process(ServerProcess):  # type: ignore[misc, unused-ignore]
        """One tool."""

        def get_proxy_base_class(self) -> tuple[type[Handler], dict[str, Any]]:
            return Handler, {"state": {}}

    return Process(
        name=tool.name,
        command=command,
        environment=environment,
        unix_socket=places["socket"],
        timeout=float(tool.start_seconds),
    )


def _places(base_url: str, launch: Launch, tool: Tool) -> Mapping[str, str]:
    pythons = (item for item in launch.release.environments if item.language == "python")
    first = next(pythons, None)
    return {
        "socket": str(launch.runtime / f"{tool.name}.sock"),
        "base_url": base_url,
        "home": str(launch.assignment.home),
        "runtime": str(launch.runtime),
        "layer": str(launch.layer),
        "conda": launch.release.conda or "",
        "python": f"{first.prefix}/bin/python" if first is not None else "",
        "shell": os.environ.get("SHELL", "/bin/bash"),
    }


def _literal(words: Sequence[str]) -> list[str]:
    """Double the braces: the proxy would fill them in."""
    return [word.replace("{", "{{").replace("}", "}}") for word in words]
