"""Terminals of a session in which unused ones are ended (`berth.session.idle`); else Jupyter has its own."""

from __future__ import annotations

from pathlib import Path

from jupyter_server_terminals.terminalmanager import TerminalManager


class SessionTerminals(TerminalManager):  # type: ignore[misc, unused-ignore] # the base is untyped
    """Ends a terminal that nobody uses, unless its shell has something running, in the background too."""

    async def _cull_inactive_terminal(self, name: str) -> None:
        terminal = self.terminals.get(name)
        if terminal is not None and not works(terminal.ptyproc.pid):
            await super()._cull_inactive_terminal(name)


def works(pid: int) -> bool:
    """Tell whether a shell has children; one that cannot be looked at counts as if it had."""
    threads = Path(f"/proc/{pid}/task")
    try:
        return any(path.joinpath("children").read_text("ascii") for path in threads.iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return threads.is_dir()
