"""Releases on a node's own disk (`releases_install_host: ""`), by the playbook, beside the shared ones."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.cluster import CLUSTER
from tests.lab.machines import Machine
from tests.lab.releases import INDEX, ordered
from tests.lab_releases.playing import play

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACE = "/var/tmp/berth-local"  # noqa: S108 - a container's own, removed afterwards
PACKAGES = ("dpkg-query", "--show", "--showformat", "${binary:Package}\\n")


@dataclass(frozen=True)
class Local:
    """A node that has installed for itself: what it has, and what a second run of the playbook changed."""

    node: Machine
    release: str
    index: dict[str, Any]
    recap: str


@pytest.fixture(scope="module")
def local(login: Machine) -> Iterator[Local]:
    """The last node, with the smallest release on its own disk; it is as it was afterwards."""
    node = Machine(CLUSTER[-1].name)
    release = min(ordered(), key=lambda entry: int(entry["bytes"]))["name"]
    shared, packages = login.run("cat", INDEX), set(node.run(*PACKAGES).split())
    try:
        _play(node.name, release)
        index = json.loads(node.run("cat", f"{PLACE}/releases/index.json"))
        yield Local(node, release, index, _play(node.name, release))
    finally:
        node.run("rm", "-rf", PLACE)
        if added := set(node.run(*PACKAGES).split()) - packages:
            node.run("apt-get", "purge", "--yes", "--quiet", *sorted(added))
    assert login.run("cat", INDEX) == shared, "the shared releases are not what they were"


def _play(host: str, release: str) -> str:
    """Run the playbook for that host alone; return its line of the recap."""
    variables = {
        "releases_install_host": "",
        "releases_root": f"{PLACE}/releases",
        "releases_tool_dir": f"{PLACE}/tool",
        "releases_published": [release],
        "releases_environments": {},
    }
    return play(host, variables)


def test_a_node_has_what_it_was_told_to_install_for_itself(local: Local) -> None:
    (found,) = local.index["releases"]
    assert found["name"] == local.release
    prefixes = [found["conda"], *(item["prefix"] for item in found["environments"])]
    assert all(prefix.startswith(f"{PLACE}/releases/") for prefix in prefixes)


def test_users_can_run_what_is_on_the_node_s_own_disk(local: Local) -> None:
    prefixes = [item["prefix"] for item in local.index["releases"][0]["environments"]]
    (python,) = [prefix for prefix in prefixes if "/python-" in prefix]
    script = "import json, sys, numpy; print(json.dumps([sys.prefix, numpy.__file__]))"
    told = json.loads(local.node.run(f"{python}/bin/python", "-I", "-c", script, user="alice"))
    assert told[0] == python
    assert told[1].startswith(f"{python}/lib/")


def test_a_second_run_changes_nothing(local: Local) -> None:
    assert " changed=0 " in local.recap
