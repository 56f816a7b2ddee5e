"""The catalogue as files on the hub host, as role `hub` writes them (`hub_catalogue_dir`)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.lab.machines import Machine

FILES = "/srv/berth/releases"
COMMAND = (
    "/opt/berth-hub/venv/bin/python -I -m berth release catalogue --index /opt/berth/releases/index.json"
)


def test_the_files_have_every_release_that_is_not_hidden(login: Machine) -> None:
    index = json.loads(login.shell("cat /opt/berth/releases/index.json"))
    wanted = {release["name"] for release in index["releases"] if not release["hidden"]}
    assert wanted
    page = login.shell(f"cat {FILES}/index.html")
    assert set(re.findall(r'<a href="release/([^"/]+)\.html">', page)) == wanted
    for name in wanted:
        assert "cannot be read" not in login.shell(f"cat {FILES}/release/{name}.html")


def test_the_files_are_what_the_index_says_now(login: Machine) -> None:
    assert login.shell(f"{COMMAND} --output {FILES} --check").strip() == "unchanged"
