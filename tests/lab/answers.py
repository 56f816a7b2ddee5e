"""What Slurm says of nodes and partitions, by the names of slurm.conf and whichever command was asked.

Keys are in lower case; values are text, sets of names, or None where a source cannot tell. Nothing here is
read by Berth's own parsers.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from berth.slurm.answers.commands import SCONTROL_HAS_JSON, Commands, parse_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.lab.machines import Machine

Facts = dict[str, Any]

USABLE = "usable"
_FIELD = re.compile(r"(?:^|\s)([A-Za-z][A-Za-z_/:]*)=(\S*)")
_EMPTY = {"", "(null)", "N/A", "n/a"}
_BROKEN = ("DOWN", "DRAIN", "FAIL", "INVAL", "UNKNOWN", "NOT_RESPONDING", "POWER", "REBOOT", "*")
# slurm.conf's name in lower case, scontrol's, the JSON document's; 0 is what scontrol leaves out.
_NODE = (
    ("nodeaddr", "NodeAddr", "address"),
    ("nodehostname", "NodeHostName", "hostname"),
    ("cpus", "CPUTot", "cpus"),
    ("boards", "Boards", "boards"),
    ("sockets", "Sockets", "sockets"),
    ("corespersocket", "CoresPerSocket", "cores"),
    ("threadspercore", "ThreadsPerCore", "threads"),
    ("realmemory", "RealMemory", "real_memory"),
    ("weight", "Weight", "weight"),
    ("tmpdisk", "TmpDisk", "temporary_disk"),
    ("memspeclimit", "MemSpecLimit", "specialized_memory"),
    ("corespeccount", "CoreSpecCount", "specialized_cores"),
)
# The same for partitions. JSON has no word for the last ones (`Default` since 26.05).
_PARTITION = (
    ("partitionname", "name"),
    ("maxtime", "maximums.time"),
    ("defaulttime", "defaults.time"),
    ("defmempercpu", "defaults.partition_memory_per_cpu"),
    ("maxmempernode", "maximums.partition_memory_per_node"),
    ("allowaccounts", "accounts.allowed"),
    ("allowgroups", "groups.allowed"),
    ("state", "partition.state"),
    ("qos", "qos.assigned"),
    ("prioritytier", "priority.tier"),
    ("priorityjobfactor", "priority.job_factor"),
)
_UNTOLD = ("default", "hidden", "lln", "rootonly")
_TIMES = ("maxtime", "defaulttime")
_NAMES = ("feature", "allowaccounts", "allowgroups")


class Answers:
    """Asks a machine on which users submit."""

    def __init__(self, login: Machine) -> None:
        self.login = login
        self.commands = Commands("", parse_version(login.run("sinfo", "--version")))

    def names(self, hostlist: str) -> frozenset[str]:
        """The names that Slurm itself reads in a hostlist."""
        return frozenset(self.login.run("scontrol", "show", "hostnames", hostlist).split())

    def nodes_by_scontrol(self) -> dict[str, Facts]:
        listing = self.login.run("scontrol", "--oneliner", "show", "node").splitlines()
        found = [dict(_FIELD.findall(line)) for line in listing]
        return {
            record["NodeName"]: {key: record.get(word, "0") for key, word, _ in _NODE}
            | _node(record["Gres"], record["AvailableFeatures"].split(","), record["State"].split("+"))
            for record in found
        }

    def nodes_by_json(self) -> dict[str, Facts]:
        """Before 23.02 there is no word of what is kept for the system."""
        document = json.loads(self.login.run(*self.commands.nodes()))
        return {record["name"]: _json_node(record) for record in document["nodes"]}

    def nodes_by_sinfo(self) -> dict[str, Facts]:
        keys = ("cpus", "realmemory", "sockets", "corespersocket", "threadspercore", "weight", "nodeaddr")
        form = "%N|%c|%m|%X|%Y|%Z|%w|%o|%G|%f|%T"
        rows = self.login.run("sinfo", "--all", "--noheader", "--Node", f"--format={form}").splitlines()
        found: dict[str, Facts] = {}
        for row in rows:
            name, *values, gres, features, state = row.split("|")
            found[name] = dict(zip(keys, values, strict=True))
            found[name] |= _node(gres, features.split(","), [state.upper()])
        return found

    def partition_by_scontrol(self, name: str) -> Facts:
        listing = self.login.run("scontrol", "--all", "--oneliner", "show", "partition", name)
        found = {key.lower(): normal(key, value) for key, value in _FIELD.findall(listing)}
        return found | {"nodes": self.names(found["nodes"])}

    def partition_by_json(self, name: str) -> Facts | None:
        """None where scontrol has no JSON."""
        if self.commands.version < SCONTROL_HAS_JSON:
            return None
        answer = self.login.run("scontrol", "show", "partition", name, "--json")
        (record,) = json.loads(answer)["partitions"]
        found: Facts = {key: normal(key, _at(record, path)) for key, path in _PARTITION}
        found |= dict.fromkeys(_UNTOLD)
        if "flags" in record:
            found["default"] = "YES" if "DEFAULT" in record["flags"] else "NO"
        found["oversubscribe"] = record["partition"].get("oversubscribe") or _shared(record["maximums"])
        return found | {"nodes": self.names(record["nodes"]["configured"])}

    def partition_by_sinfo(self, name: str) -> Facts:
        sinfo = ("sinfo", "--noheader", f"--partition={name}")
        (row,) = self.login.run(*sinfo, "--format=%P|%a|%l|%L|%h|%g").splitlines()
        title, state, longest, default, shared, groups = row.split("|")
        members = self.login.run(*sinfo, "--Node", "--format=%N").split()
        return {
            "partitionname": title.removesuffix("*"),
            "default": "YES" if title.endswith("*") else "NO",
            "state": state.upper(),
            "maxtime": minutes(longest),
            "defaulttime": minutes(default),
            "oversubscribe": shared,
            "allowgroups": normal("allowgroups", groups),
            "nodes": frozenset(members),
        }


def minutes(text: object) -> str:
    """A time that Slurm has printed as a number of minutes; empty for no limit and none set."""
    if str(text).upper() in {"UNLIMITED", "INFINITE", "NONE", "N/A", ""}:
        return ""
    if isinstance(text, int):
        return str(text)
    days, _, clock = str(text).rpartition("-")
    seconds = 0
    for part in clock.split(":"):
        seconds = seconds * 60 + int(part)
    return str((int(days or 0) * 86400 + seconds) // 60)


def normal(key: str, value: object) -> Any:
    """The value of a parameter as it is compared: a text, or for lists of names a set."""
    if key.lower() in _TIMES:
        return minutes(value)
    if key.lower() in _NAMES:
        words = value if isinstance(value, list) else str(value).split(",")
        return _names(word for word in words if word.upper() != "ALL")
    if isinstance(value, bool):
        return "YES" if value else "NO"
    if key.lower() == "qos" and value in _EMPTY:
        return ""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def resources(text: str) -> frozenset[str]:
    """Generic resources without the sockets that Slurm notes beside them."""
    return _names(re.sub(r"\([^()]*\)", "", text).split(","))


def _names(words: Iterable[str]) -> frozenset[str]:
    return frozenset(word for word in words if word not in _EMPTY)


def _node(gres: str, features: Iterable[str], states: Iterable[str]) -> Facts:
    broken = [state for state in states if any(word in state for word in _BROKEN)]
    return {
        "gres": resources(gres),
        "feature": _names(features),
        "state": "+".join(broken) if broken else USABLE,
    }


def _json_node(record: Mapping[str, Any]) -> Facts:
    features, state = record["features"], record["state"]
    states = [state, *record.get("state_flags", ())] if isinstance(state, str) else state
    words = features if isinstance(features, list) else features.split(",")
    found: Facts = {key: str(record[word]) if word in record else None for key, _, word in _NODE}
    return found | _node(record["gres"], words, [word.upper() for word in states])


def _at(record: Mapping[str, Any], path: str) -> Any:
    value: Any = record
    for key in path.split("."):
        value = value[key]
    if isinstance(value, dict):
        return value["number"] if value["set"] and not value["infinite"] else ""
    return value


def _shared(maximums: Mapping[str, Any]) -> str:
    """OverSubscribe from the numbers that stood for it before 26.05."""
    jobs = maximums["shares"] & 0x7FFF
    return "NO" if jobs <= 1 else f"{'FORCE' if maximums['shares'] & 0x8000 else 'YES'}:{jobs}"
