"""Write one report of what `berth doctor` found on all hosts.

Runs on the controller. On standard input `said`: for each host that could be asked its name and the results
of Ansible's command on it as `hub` and as `node` (null where it is none), and `unreachable`: the names of the
others. On standard output `lines`, for people, and `failures`: host to what fails there.
"""

from __future__ import annotations

import json
import sys
from typing import Any

NOT_ASKED = "nobody could look: {}. Fix: run playbooks/hub.yml and playbooks/session.yml first"
NO_LAYER = "the hub's host names no session layer to look with"
Findings = list[dict[str, Any]]


def findings(answer: dict[str, Any] | None, prefix: str) -> Findings:
    """Read one answer; one that is none becomes a failure."""
    if answer is None:
        return []
    try:
        found: Findings = json.loads(answer["stdout"])["findings"]
    except (KeyError, TypeError, ValueError):
        words = answer.get("stderr") or answer.get("msg") or NO_LAYER
        text = NOT_ASKED.format(" ".join(str(words).split())[-300:])
        return [{"status": "failure", "line": f"{'FAILURE':<8}{prefix:<20} {text}."}]
    return found


def report(document: dict[str, Any]) -> dict[str, Any]:
    """Gather lines and failures: first the hosts where all is well, at the end what fails."""
    found = {
        item["host"]: findings(item["hub"], "hub") + findings(item["node"], "node")
        for item in document["said"]
    }
    failures = {
        host: [item["line"] for item in items if item["status"] == "failure"] for host, items in found.items()
    }
    failures = {host: lines for host, lines in failures.items() if lines}
    lines = []
    for host in sorted(found, key=lambda name: (name in failures, name)):
        lines += [f"{host}: {_counted(found[host])}", *(f"  {item['line']}" for item in found[host])]
    lines += [f"{host}: cannot be reached, nothing is known of it" for host in document["unreachable"]]
    return {"lines": [*lines, _verdict(found, failures, document["unreachable"])], "failures": failures}


def _counted(items: Findings) -> str:
    counts: dict[str, int] = {}
    for item in items:
        counts[item["status"]] = counts.get(item["status"], 0) + 1
    return ", ".join(f"{number} {status}" for status, number in counts.items())


def _verdict(found: dict[str, Findings], failures: dict[str, list[str]], unreachable: list[str]) -> str:
    parts = [f"hosts that are well: {len(found) - len(failures)} of {len(found) + len(unreachable)}"]
    if failures:
        parts.append(f"something fails on {', '.join(sorted(failures))}")
    if unreachable:
        parts.append(f"not reached: {', '.join(sorted(unreachable))}")
    return "; ".join(parts)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(report(json.load(sys.stdin))))
