"""What role `code_server` writes, as a session reads it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from berth.session.workbench import tools
from tests.unit.session.rendered import ROOT, rendered

if TYPE_CHECKING:
    from pathlib import Path

    from berth.session.workbench.tools import Tool

LAYER = "/opt/berth/layers/4.6-2"
SITE = {
    "role_path": str(ROOT / "roles/code_server"),
    "session_root": "/opt/berth",
    "session_version": "4.6-2",
    "session_install_host": "",
}
ARCHIVE = {
    "code_server_archive": "https://mirror.example.org/code-server-4.139.1-linux-amd64.tar.gz",
    "code_server_archive_sha256": "0123456789abcdef" * 4,
}


def read(place: Path, **variables: Any) -> Tool:
    text = rendered("code_server", "code.json", **{**SITE, **variables})
    (place / "code.json").write_text(text, encoding="utf-8")
    (found,) = tools.load(place)
    return found


def test_it_listens_on_its_socket_only_and_proxies_no_other_port(tmp_path: Path) -> None:
    found = read(tmp_path)
    words = list(found.command)
    assert words[words.index("--socket") + 1] == "{socket}"
    assert words[words.index("--socket-mode") + 1] == "600"
    assert words[words.index("--session-socket") + 1] == "{runtime}/code-session.sock"
    assert {"--disable-proxy", "--disable-telemetry", "--disable-update-check"} <= set(words)
    assert not any("--bind-addr" in word or "--port" in word for word in words)


def test_from_npm_it_runs_on_the_node_of_its_own_layer(tmp_path: Path) -> None:
    node, entry = read(tmp_path).command[:2]
    place = node.removesuffix("/node")
    assert place.startswith(f"{LAYER}/libexec/code-server/")
    assert entry == f"{place}/node_modules/code-server/out/node/entry.js"


def test_from_the_archive_it_runs_on_what_that_brings(tmp_path: Path) -> None:
    program = read(tmp_path, **ARCHIVE).command[0]
    assert program == f"{LAYER}/libexec/code-server/0123456789ab/bin/code-server"


@pytest.mark.parametrize("gallery", [{}, {"serviceUrl": "https://mirror.example.org/gallery"}])
def test_extensions_come_from_where_the_site_says(tmp_path: Path, gallery: dict[str, str]) -> None:
    found = read(tmp_path, code_server_gallery=gallery)
    assert json.loads(found.environment["EXTENSIONS_GALLERY"]) == gallery


def test_its_python_follows_the_release_and_the_rest_is_the_user_s(tmp_path: Path) -> None:
    found = read(tmp_path, code_server_defaults={"editor.fontSize": 16})
    home = {"home": str(tmp_path), "python": "/release/bin/python", "conda": "/release/conda"}
    found.write_settings(home)
    place = tmp_path / ".local/share/code-server"
    machine = json.loads((place / "Machine/settings.json").read_text(encoding="utf-8"))
    assert machine["python.defaultInterpreterPath"] == "/release/bin/python"
    assert machine["python.condaPath"] == "/release/conda/condabin/conda"
    assert json.loads((place / "User/settings.json").read_text(encoding="utf-8")) == {"editor.fontSize": 16}
