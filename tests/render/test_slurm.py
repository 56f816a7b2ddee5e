from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from ansible.errors import AnsibleError

from berth.slurm import gres, hostlist

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.render.conftest import Site

LAB, MIXED = "inventories/lab", "tests/render/inventories/mixed"
HOSTS = {LAB: ("login", "gpu1", "gpu2"), MIXED: ("ctl", "a001", "cpu1")}
CGROUP_VERSION = {LAB: 1, MIXED: 2}
TEMPLATES = (
    "slurm_cluster/slurm.conf",
    "slurm_cluster/slurmdbd.conf",
    "slurm_interactive/interactive.conf",
    "slurm_interactive/gres.conf",
    "slurm_interactive/cgroup.conf",
)
inventories = pytest.mark.parametrize("inventory", [LAB, MIXED])


def rendered(place: Site, inventory: str, template: str, host: str) -> str:
    """Render with what the roles register: whether the host has the second version of cgroups."""
    second = {"stat": {"exists": CGROUP_VERSION[inventory] == 2}}
    return place.render(template, host, __slurm_interactive_cgroup2=second)


@inventories
@pytest.mark.parametrize("template", TEMPLATES)
def test_the_files_of_slurm_are_those_that_were_read_before(
    site: Callable[[str], Site],
    golden: Callable[[str, str], None],
    inventory: str,
    template: str,
) -> None:
    place = site(inventory)
    text = rendered(place, inventory, template, HOSTS[inventory][1])
    golden(f"{place.name}/{template.partition('/')[2]}", text)


@inventories
@pytest.mark.parametrize("template", TEMPLATES)
def test_a_file_of_slurm_is_the_same_on_every_host(
    site: Callable[[str], Site],
    inventory: str,
    template: str,
) -> None:
    place = site(inventory)
    assert len({rendered(place, inventory, template, host) for host in HOSTS[inventory]}) == 1


@inventories
def test_slurm_conf_and_gres_conf_agree_on_the_gpus(site: Callable[[str], Site], inventory: str) -> None:
    place = site(inventory)
    counted: dict[str, dict[str, int]] = {}
    for row in _rows(rendered(place, inventory, "slurm_interactive/gres.conf", HOSTS[inventory][1])):
        for name in hostlist.expand(row["NodeName"]):
            files = hostlist.expand(row["File"].removeprefix("/dev/"))
            kinds = counted.setdefault(name, {})
            kinds[row["Type"]] = kinds.get(row["Type"], 0) + len(files)
    nodes = _rows(rendered(place, inventory, "slurm_interactive/interactive.conf", HOSTS[inventory][1]))
    told = {
        name: gres.gpu_counts(row["Gres"])
        for row in nodes
        if "Gres" in row
        for name in hostlist.expand(row["NodeName"])
    }
    assert told == counted
    assert told


def _rows(text: str) -> list[dict[str, str]]:
    """Read back the rows of a rendered file, none of whose values holds a blank."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [dict(pair.split("=", 1) for pair in line.split()) for line in lines]


def test_a_time_that_is_not_quoted_stops_the_rendering_with_advice(site: Callable[[str], Site]) -> None:
    with pytest.raises(AnsibleError, match="quote the value in YAML"):
        site(LAB).render("slurm_interactive/interactive.conf", "gpu1", slurm_interactive_max_time=3600)


def test_a_variable_that_is_not_defined_stops_the_rendering(site: Callable[[str], Site]) -> None:
    with pytest.raises(AnsibleError, match="__slurm_interactive_cgroup2"):
        site(LAB).render("slurm_interactive/cgroup.conf", "gpu1")


def test_a_node_that_the_site_defines_itself_gets_no_row_of_ours(site: Callable[[str], Site]) -> None:
    place, theirs = site(LAB), {"defined": ["gpu1"]}
    conf = place.render("slurm_interactive/interactive.conf", "gpu1", __slurm_interactive_review=theirs)
    rows = _rows(conf)
    assert [row.get("NodeName") or row["Nodes"] for row in rows] == ["gpu2", "gpu[1-2]"]
    gpus = _rows(place.render("slurm_interactive/gres.conf", "gpu1", __slurm_interactive_review=theirs))
    assert [row["NodeName"] for row in gpus] == ["gpu2"]
