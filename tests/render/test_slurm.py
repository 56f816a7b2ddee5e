from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import yaml
from ansible.errors import AnsibleError

from berth.hub import offer
from berth.hub.settings import FormSettings
from berth.hub.snapshot import Snapshot
from berth.slurm import client, gres, hostlist, records

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


INTERACTIVE = "slurm_interactive/interactive.conf"


@pytest.mark.parametrize("shared_by", [1, 2, 5, 64])
def test_how_many_share_a_core_is_said_once_and_the_form_follows(
    site: Callable[[str], Site], shared_by: int
) -> None:
    place = site(LAB)
    row = place.render(INTERACTIVE, "gpu1", slurm_interactive_shared_by=shared_by).splitlines()[-1]
    assert f" OverSubscribe=FORCE:{shared_by} " in row
    # Slurm prints a partition with the words of its row, so that the hub reads back what was written.
    (partition,) = records.parse_partitions(client.decode(row))
    form = FormSettings.model_validate(yaml.safe_load(place.render("spawner_form/form.yml", "login")))
    own = offer.compute(offer.Person("alice"), Snapshot(partition=partition), form, (), 0.0)
    rule = f"Up to {shared_by} users may share a core" if shared_by > 1 else "Cores are yours alone."
    assert rule in own.hints["cores"]
    assert "memory is yours alone" in own.hints["memory"]
    assert "GPUs are yours alone" in own.hints["gpus"]


@inventories
def test_memory_and_gpus_are_never_shared(site: Callable[[str], Site], inventory: str) -> None:
    place = site(inventory)
    cgroups = rendered(place, inventory, "slurm_interactive/cgroup.conf", HOSTS[inventory][1]).splitlines()
    for name in ("ConstrainDevices", "ConstrainRAMSpace", "ConstrainSwapSpace"):
        assert f"{name}=YES" in cgroups
    settings = rendered(place, inventory, "slurm_cluster/slurm.conf", HOSTS[inventory][0])
    assert re.search(r"^SelectTypeParameters=CR_(Core|CPU)_Memory$", settings, re.MULTILINE)
    assert "task/cgroup" in settings
    assert "PreemptMode=OFF" in settings


def test_sessions_are_kept_on_their_cores_but_in_the_lab(site: Callable[[str], Site]) -> None:
    assert "ConstrainCores=YES" in rendered(site(MIXED), MIXED, "slurm_interactive/cgroup.conf", "ctl")
    assert "ConstrainCores=NO" in rendered(site(LAB), LAB, "slurm_interactive/cgroup.conf", "login")


def test_limits_of_users_put_their_qos_on_the_partition_and_only_then(site: Callable[[str], Site]) -> None:
    limited = {"slurm_interactive_limits": {"gpus_per_user": 1}, "slurm_interactive_limits_qos": "few"}
    assert " QOS=few" in site(LAB).render(INTERACTIVE, "gpu1", **limited)
    assert "QOS=" not in site(LAB).render(INTERACTIVE, "gpu1", slurm_interactive_limits={})


def test_without_accounting_slurm_conf_names_no_database_and_enforces_nothing(
    site: Callable[[str], Site],
) -> None:
    settings = site(LAB).render("slurm_cluster/slurm.conf", "login", slurm_cluster_accounting="disabled")
    accounting = [line for line in settings.splitlines() if line.startswith("Accounting")]
    # With resources to account for, slurmctld does not start without a database.
    assert accounting == ["AccountingStorageType=accounting_storage/none"]
    # Changing this would end the jobs that run.
    assert "JobAcctGatherType=jobacct_gather/cgroup" in settings
