"""What was found, for people and for programs."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from berth.doctor.model import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from berth.doctor.model import Result

_WORDS = {
    Status.OK: "ok",
    Status.WARNING: "WARNING",
    Status.FAILURE: "FAILURE",
    Status.NOT_APPLICABLE: "-",
}
_COUNTED = {Status.OK: "well", Status.NOT_APPLICABLE: "not applicable"}


def line(result: Result) -> str:
    """Write one finding in one line, the fix in it."""
    finding = result.finding
    fix = f" Fix: {finding.fix}." if finding.fix else ""
    text = " ".join(f"{finding.text.rstrip('.')}.{fix}".split())
    return f"{_WORDS[finding.status]:<8}{result.check:<20} {text}"


def summary(results: Sequence[Result]) -> str:
    """Count the findings in one line."""
    counts = Counter(result.finding.status for result in results)
    words = [f"{counts[status]} {_COUNTED.get(status, status)}" for status in Status if counts[status]]
    return f"{len(results)} findings: {', '.join(words)}"


def document(results: Sequence[Result], host: str) -> str:
    """Write everything as one JSON document."""
    findings = [
        {
            "check": result.check,
            "status": str(result.finding.status),
            "text": result.finding.text,
            "fix": result.finding.fix,
            "line": line(result),
        }
        for result in results
    ]
    return json.dumps({"host": host, "ok": not failed(results), "findings": findings}, indent=1)


def failed(results: Sequence[Result]) -> bool:
    """Tell whether anything failed; warnings are no failure."""
    return any(result.finding.status is Status.FAILURE for result in results)
