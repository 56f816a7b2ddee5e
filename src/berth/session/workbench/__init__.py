"""What a session has beside JupyterLab: tools with pages of their own, dashboards, what it knows of itself.

A Jupyter server extension. What the first page does not need is imported after the hub knows the session;
whoever asks for it before waits for it.
"""

from __future__ import annotations

from berth.session.workbench.extension import _load_jupyter_server_extension, load_late

__all__ = ["_jupyter_server_extension_points", "_load_jupyter_server_extension", "load_late"]


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "berth.session.workbench"}]
