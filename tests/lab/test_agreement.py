"""What the filters made of the inventory is what Slurm has understood, field by field."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from berth.slurm.notation import hostlist
from tests.lab import described
from tests.lab.answers import USABLE, Answers, Facts, normal, resources
from tests.lab.machines import Machine

if TYPE_CHECKING:
    from collections.abc import Mapping

# What Slurm takes where slurm.conf says nothing.
UNSAID_OF_NODES = {
    "boards": "1",
    "corespersocket": "1",
    "threadspercore": "1",
    "weight": "1",
    "tmpdisk": "0",
    "memspeclimit": "0",
    "corespeccount": "0",
    "gres": frozenset[str](),
    "feature": frozenset[str](),
}
UNSAID_OF_PARTITIONS = {
    "default": "NO",
    "hidden": "NO",
    "lln": "NO",
    "rootonly": "NO",
    "oversubscribe": "NO",
    "maxtime": "",
    "defaulttime": "",
    "allowaccounts": frozenset[str](),
    "allowgroups": frozenset[str](),
    "qos": "",
    "prioritytier": "1",
    "priorityjobfactor": "1",
    "state": "UP",
}
STATES = {"UNKNOWN": USABLE}
GRES_LINE = re.compile(r"\bGres (?P<fields>Name=.*)")
GRES_KEYS = {"NodeName", "Name", "Type", "File", "Count", "Cores", "Links"}


@pytest.fixture(scope="module")
def answers(login: Machine) -> Answers:
    return Answers(login)


def written(row: Mapping[str, Any], unsaid: Mapping[str, Any]) -> Facts:
    """A row of slurm.conf as it is compared, with what Slurm assumes where the row is silent."""
    said = {key.lower(): normal(key, value) for key, value in row.items() if value is not None}
    return {**unsaid, **said}


def told_by(found: Facts, expected: Facts) -> Facts:
    """What has to be in the answer: all that is written, be it something that these tests have never met."""
    return {key: value for key, value in expected.items() if found.get(key, "") is not None}


def nodes_written() -> dict[str, Facts]:
    found: dict[str, Facts] = {}
    for row in described.rows()["nodes"]:
        facts = written(row, UNSAID_OF_NODES)
        cores = int(facts["corespersocket"]) * int(facts["threadspercore"])
        facts.setdefault("sockets", str(int(facts["cpus"]) // cores))
        facts |= {"gres": resources(row.get("Gres") or ""), "state": STATES[facts["state"]]}
        for name in hostlist.expand(facts.pop("nodename")):
            assert name not in found, f"{name} is in two rows"
            found[name] = {"nodeaddr": name, "nodehostname": name, **facts}
    return found


@pytest.mark.parametrize("source", ["scontrol", "json"])
def test_slurm_knows_the_nodes_of_the_inventory_and_no_other(answers: Answers, source: str) -> None:
    found: dict[str, Facts] = getattr(answers, f"nodes_by_{source}")()
    expected = nodes_written()
    assert found.keys() == expected.keys()
    for name, facts in expected.items():
        told = told_by(found[name], facts)
        assert {key: found[name].get(key) for key in told} == told, name


def test_sinfo_agrees_on_nodes(answers: Answers) -> None:
    found = answers.nodes_by_sinfo()
    expected = nodes_written()
    assert found == {name: {key: facts[key] for key in found[name]} for name, facts in expected.items()}


@pytest.mark.parametrize("source", ["scontrol", "json", "sinfo"])
def test_slurm_has_understood_the_partitions(answers: Answers, source: str) -> None:
    rows = described.rows()["partitions"]
    assert rows
    for row in rows:
        expected = written(row, UNSAID_OF_PARTITIONS)
        everybody = frozenset(nodes_written())
        expected["nodes"] = everybody if row["Nodes"] == "ALL" else answers.names(row["Nodes"])
        found: Facts | None = getattr(answers, f"partition_by_{source}")(row["PartitionName"])
        if found is None:  # only JSON, only before 23.02, where scontrol refuses it
            assert answers.login.attempt("scontrol", "show", "partition", "--json").rc != 0
            continue
        told = told_by(found, expected)
        if source == "sinfo":  # has columns for some parameters only
            told = {key: told[key] for key in found}
        assert {key: found.get(key) for key in told} == told


def devices_written() -> dict[str, dict[tuple[str, str, str], Any]]:
    """By node: of each kind of resource and its cores, the device files or else the number."""
    found: dict[str, dict[tuple[str, str, str], Any]] = {name: {} for name in nodes_written()}
    for row in described.rows()["gres"]:
        assert row.keys() <= GRES_KEYS, f"this test does not know {row.keys() - GRES_KEYS}"
        kind = (row["Name"], row.get("Type") or "", str(row.get("Cores") or ""))
        for name in hostlist.expand(row["NodeName"]):
            _add(found[name], kind, row.get("File"), row.get("Count"))
    return found


def devices_found(machine: Machine) -> dict[tuple[str, str, str], Any]:
    """What slurmd reads in gres.conf (`slurmd -G` only prints)."""
    result = machine.attempt("slurmd", "-G")
    assert result.rc == 0, result.stderr
    found: dict[tuple[str, str, str], Any] = {}
    for line in GRES_LINE.finditer(result.stdout + result.stderr):
        fields = dict(item.split("=", 1) for item in line["fields"].split() if "=" in item)
        fields = {key: "" if value == "(null)" else value for key, value in fields.items()}
        _add(
            found,
            (fields["Name"], fields.get("Type", ""), fields.get("Cores", "")),
            fields.get("File"),
            int(fields["Count"]),
        )
    return found


def _add(found: dict[tuple[str, str, str], Any], kind: tuple[str, str, str], file: Any, count: Any) -> None:
    if file:
        directory, _, names = file.rpartition("/")
        paths = {f"{directory}/{name}" for name in hostlist.expand(names)}
        assert count in {None, len(paths)}, f"{count} devices, but {file}"
        found[kind] = found.get(kind, set()) | paths
    else:
        found[kind] = found.get(kind, 0) + count


def test_every_node_has_found_the_devices_that_are_written() -> None:
    expected = devices_written()
    assert {name: devices_found(Machine(name)) for name in expected} == expected
