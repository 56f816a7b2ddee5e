"""What role `releases` tells the tool, as the tool reads it."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import pytest
import yaml

from berth.releases import settings
from berth.releases.settings import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.render.conftest import Site

# As a site writes it: dates and versions with and without quotes.
GIVEN = """
releases_published: ["2026.11", "2026.05"]
releases_hidden: ["2026.05"]
releases_end: {"2026.05": 2027-06-30, "2026.11": "2028-01-31"}
releases_layers: {"2026.05": 4.6-2}
releases_environments: {"2026.11": [python, r]}
releases_channels: {conda-forge: "https://mirror.example.org/conda-forge"}
releases_pip_index: https://mirror.example.org/simple
releases_conda_settings: {solver: classic}
releases_user_site: true
"""
BACK = """
releases_hidden: []
releases_end: {}
releases_layers: {}
releases_environments: {}
"""


@pytest.fixture
def read(site: Callable[[str], Site], tmp_path: Path) -> Callable[[str], settings.Settings]:
    """Read as the tool does what the role makes of variables."""

    def reading(given: str) -> settings.Settings:
        value = site("inventories/lab").value(
            "releases", "__releases_settings | to_json", "login", **yaml.safe_load(given)
        )
        document = json.loads(str(value))
        path = tmp_path / "settings.json"
        path.write_text(json.dumps({**document, "specs_dir": str(tmp_path)}), encoding="utf-8")
        return settings.load(str(path), tmp_path)

    return reading


def test_what_a_site_says_of_its_releases_reaches_the_tool(read: Callable[[str], settings.Settings]) -> None:
    found = read(GIVEN)
    assert found.releases == (
        Wanted("2026.11", ends=dt.date(2028, 1, 31), environments=("python", "r")),
        Wanted("2026.05", layer="4.6-2", hidden=True, ends=dt.date(2027, 6, 30)),
    )
    assert found.channels == {"conda-forge": "https://mirror.example.org/conda-forge"}
    assert found.pip_index == "https://mirror.example.org/simple"
    assert found.conda_settings == {"solver": "classic"}
    assert found.user_site is True


def test_what_a_site_takes_back_is_taken_back(read: Callable[[str], settings.Settings]) -> None:
    found = read(GIVEN + BACK)  # the last one of a name counts
    assert found.releases == (Wanted("2026.11"), Wanted("2026.05"))
