from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml
from ansible.errors import AnsibleError

from berth.hub.collector.snapshot import Snapshot
from berth.hub.form import offer
from berth.hub.settings import FormSettings
from berth.slurm.answers import client, records
from berth.slurm.existing import drift
from berth.slurm.notation import gres, hostlist
from tests.render import systems
from tests.render.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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


def rendered(place: Site, inventory: str, template: str, host: str, **more: object) -> str:
    """Render with what the roles register: the version of cgroups, and which system it is."""
    second = {"stat": {"exists": CGROUP_VERSION[inventory] == 2}}
    system = {**systems.facts("debian-13"), **systems.called("slurm_cluster", "debian-13")}
    return place.render(template, host, **{"__slurm_interactive_cgroup2": second, **system, **more})


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
    nodes = _rows(rendered(place, inventory, "slurm_interactive/interactive.conf", HOSTS[inventory][1]))
    told = {
        name: {(item.name, item.type): item.count for item in gres.parse(row["Gres"])}
        for row in nodes
        if "Gres" in row
        for name in hostlist.expand(row["NodeName"])
    }
    counted: dict[str, dict[tuple[str, str | None], int]] = {}
    for row in _rows(rendered(place, inventory, "slurm_interactive/gres.conf", HOSTS[inventory][1])):
        for name in hostlist.expand(row["NodeName"]):
            kinds = counted.setdefault(name, {})
            if "AutoDetect" in row:  # then what is there is for slurmd to say
                kinds |= {kind: count for kind, count in told[name].items() if kind[0] == gres.GPU}
                continue
            kind = (row["Name"], row.get("Type"))
            kinds[kind] = kinds.get(kind, 0) + _counted(row)
    assert told == counted
    assert told


def _counted(row: dict[str, str]) -> int:
    """Return how many resources a row of gres.conf stands for."""
    if "MultipleFiles" in row:
        return 1
    return int(row["Count"]) if "Count" in row else len(hostlist.expand(row["File"].removeprefix("/dev/")))


def _rows(text: str) -> list[dict[str, str]]:
    """Read back the rows of a rendered file, none of whose values holds a blank."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [dict(pair.split("=", 1) for pair in line.split()) for line in lines]


@inventories
def test_the_gres_types_are_those_of_the_nodes(site: Callable[[str], Site], inventory: str) -> None:
    text = rendered(site(inventory), inventory, "slurm_cluster/slurm.conf", HOSTS[inventory][1])
    found = [line for line in text.splitlines() if "Gres" in line or "TRES" in line]
    kinds = {LAB: ["gpu"], MIXED: ["gpu", "mps", "shard"]}[inventory]
    assert found == [
        f"GresTypes={','.join(kinds)}",
        f"AccountingStorageTRES={','.join(f'gres/{kind}' for kind in kinds)}",
    ]


def test_a_cluster_without_gpus_names_no_gres(site: Callable[[str], Site]) -> None:
    bare = [{"name": "cpu1", "cpus": 4, "memory": "4000M"}]
    text = site(LAB).render("slurm_cluster/slurm.conf", "login", slurm_interactive_nodes=bare)
    assert "gres" not in text.lower()


def test_a_time_that_is_not_quoted_stops_the_rendering_with_advice(site: Callable[[str], Site]) -> None:
    with pytest.raises(AnsibleError, match="quote the value in YAML"):
        site(LAB).render("slurm_interactive/interactive.conf", "gpu1", slurm_interactive_max_time=3600)


def test_a_variable_that_is_not_defined_stops_the_rendering(site: Callable[[str], Site]) -> None:
    with pytest.raises(AnsibleError, match="__slurm_interactive_cgroup2"):
        site(LAB).render("slurm_interactive/cgroup.conf", "gpu1")


SCRIPT: str = yaml.safe_load((ROOT / "roles/slurm_interactive/vars/main.yml").read_text("utf-8"))[
    "__slurm_interactive_drift_script"
]


def asked(programs: Path, *files: str) -> dict[str, str]:
    """What the script prints on a machine that has these programs, as the filter reads it."""
    answer = subprocess.run(
        ["/bin/sh", "-c", SCRIPT, "sh", *files],
        env={"PATH": f"{programs}:{os.defpath}"},
        capture_output=True,
        check=True,
        text=True,
    )
    assert answer.stderr == ""
    return drift.sections(answer.stdout)


def test_a_machine_without_slurm_and_driver_is_asked_without_a_failure(tmp_path: Path) -> None:
    assert set(asked(tmp_path).values()) == {""}


def test_the_script_gives_the_filter_every_answer(tmp_path: Path) -> None:
    (tmp_path / "slurmd").write_text(
        "#!/bin/sh\necho gpu1 answers to $1; echo trouble >&2; exit 1\n", "utf-8"
    )
    (tmp_path / "nvidia-smi").write_text('#!/bin/sh\necho "${1%%,*}"\n', "utf-8")
    for name in ("slurmd", "nvidia-smi"):
        (tmp_path / name).chmod(0o755)
    assert asked(tmp_path, "/dev/null", "/dev/no such gpu") == {
        drift.SLURMD: "gpu1 answers to -C\n",
        drift.VERSION: "gpu1 answers to -V\n",
        drift.LIST: "-L\n",
        drift.QUERY: "--query-gpu=name\n",
        drift.MISSING: "/dev/no such gpu\n",
    }


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
    assert rule in str(own.hints["cores"])
    assert "Memory is yours alone" in str(own.hints["memory"])
    assert "GPUs are yours alone" in str(own.hints["gpus"])


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


def test_a_node_that_the_site_defines_itself_gets_no_row_of_ours(site: Callable[[str], Site]) -> None:
    place, theirs = site(LAB), {"defined": ["gpu1"]}
    conf = place.render("slurm_interactive/interactive.conf", "gpu1", __slurm_interactive_review=theirs)
    rows = _rows(conf)
    assert [row.get("NodeName") or row["Nodes"] for row in rows] == ["gpu2", "gpu[1-2]"]
    gpus = _rows(place.render("slurm_interactive/gres.conf", "gpu1", __slurm_interactive_review=theirs))
    assert [row["NodeName"] for row in gpus] == ["gpu2"]
