from __future__ import annotations

import json
import os
import runpy
import subprocess
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.project import ROOT, load

if TYPE_CHECKING:
    from pathlib import Path

SIDECARS = sorted((ROOT / "filter_plugins").glob("*.yml"))


@cache
def documented() -> dict[str, str]:
    """The short descriptions of all filters that ansible-doc finds, through ansible.cfg as everywhere."""
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "LC_ALL": "C.UTF-8"}
    command = ["ansible-doc", "--type", "filter", "--json", "--list"]
    answer = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    return json.loads(answer.stdout)  # type: ignore[no-any-return]


@cache
def defined() -> frozenset[str]:
    """The filters that the files of filter_plugins define."""
    names: set[str] = set()
    for path in sorted((ROOT / "filter_plugins").glob("*.py")):
        names |= set(runpy.run_path(str(path))["FilterModule"]().filters())
    return frozenset(names)


def test_every_filter_is_documented_and_every_sidecar_has_a_filter() -> None:
    assert defined()
    assert defined() == {path.stem for path in SIDECARS}
    found = {name.removeprefix("ansible.legacy."): text for name, text in documented().items()}
    found = {name: text for name, text in found.items() if name in defined()}
    assert set(found) == defined(), "ansible-doc does not find them all"
    assert [name for name, text in found.items() if text.startswith("UNDOCUMENTED")] == []


def test_no_filter_takes_a_name_that_others_could_use() -> None:
    assert [name for name in defined() if not name.startswith("slurm_")] == []


@pytest.mark.parametrize("sidecar", SIDECARS, ids=lambda path: str(path.stem))
def test_a_sidecar_says_what_goes_in_what_comes_out_and_how_to_write_it(sidecar: Path) -> None:
    content: dict[str, Any] = load(sidecar)
    assert set(content) == {"DOCUMENTATION", "EXAMPLES", "RETURN"}
    assert content["DOCUMENTATION"]["name"] == sidecar.stem
    assert {"short_description", "description", "options"} <= set(content["DOCUMENTATION"])
    assert sidecar.stem in str(content["EXAMPLES"])
    assert "_value" in content["RETURN"]
