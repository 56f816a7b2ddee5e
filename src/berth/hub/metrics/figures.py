"""Figures that grow as things happen. Each label has few values, all of which are known beforehand.

Nothing here asks anybody anything: to observe a figure takes microseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Histogram, disable_created_metrics

from berth.helper.answers import PasswordVerdict
from berth.hub.collector.snapshot import PARTS
from berth.hub.texts.labels import LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from berth.hub.collector.snapshot import Update

PREFIX: Final = "berth"
PHASES: Final = ("submit", "queue", "boot", "ready")
"""Of a start: until Slurm has the job, it runs, the session reports, and the hub has reached it."""
KINDS: Final = {part: part.removesuffix("_part") for part in PARTS}
"""What a question to Slurm is about, by the part of the snapshot that it answers."""
OTHER: Final = "other"
"""Stands for a field that the form does not have: what people send is no label."""
_START_BUCKETS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 28800, 86400)
_COMMAND_SECONDS: Final = 0.001
"""No command takes less: to start a program alone takes longer."""
_QUERY_BUCKETS: Final = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each of them, with the time at which the hub began to count

START_PHASE: Final = Histogram(
    "start_phase_seconds",
    "Seconds of one phase of a start that succeeded; Slurm's clock counts whole seconds (queue, boot)",
    ["phase"],
    namespace=PREFIX,
    buckets=_START_BUCKETS,
)
QUERY: Final = Histogram(
    "slurm_query_seconds",
    "Seconds that Slurm took to answer one question of the collector; one question may be several commands",
    ["kind"],
    namespace=PREFIX,
    buckets=_QUERY_BUCKETS,
)
QUERY_FAILURES: Final = Counter(
    "slurm_query_failures", "Questions of the collector that Slurm did not answer", ["kind"], namespace=PREFIX
)
ENDED: Final = Counter(
    "sessions_ended", "Sessions whose end Slurm has proved, by what ended them", ["cause"], namespace=PREFIX
)
REFUSED: Final = Counter(
    "requests_refused",
    "Requests for a session that were refused, by the field that was wrong",
    ["field"],
    namespace=PREFIX,
)
NOT_SUBMITTED: Final = Counter(
    "submissions_failed",
    "Accepted requests that did not get into Slurm's queue, by the reason",
    ["reason"],
    namespace=PREFIX,
)
LOGINS_REFUSED: Final = Counter(
    "logins_refused", "Logins that were refused, by the reason", ["reason"], namespace=PREFIX
)

# Series that are there from the start: a first event is an increase, too.
for _phase in PHASES:
    START_PHASE.labels(_phase)
for _kind in KINDS.values():
    QUERY.labels(_kind)
    QUERY_FAILURES.labels(_kind)
for _verdict in set(PasswordVerdict) - {PasswordVerdict.OK}:
    LOGINS_REFUSED.labels(_verdict)
for _field in (*LABELS, OTHER):
    REFUSED.labels(_field)
for _cause in (
    "stopped",
    "withdrawn",
    "completed",
    "timeout",
    "out_of_memory",
    "node_fail",
    "failed",
    "cancelled",
):
    ENDED.labels(_cause)
for _reason in ("refused", "slurm-away", "home-full", "unavailable", "lost"):
    NOT_SUBMITTED.labels(_reason)


def count_refused(fields: Mapping[str, object]) -> None:
    """Count a request whose fields of these names were wrong."""
    for name in {name if name in LABELS else OTHER for name in fields}:
        REFUSED.labels(name).inc()


def observe_start(seconds: Mapping[str, float]) -> None:
    """Note the phases of a start, by their names."""
    for phase, value in seconds.items():
        START_PHASE.labels(phase).observe(value)


def observe_answer(update: Update) -> None:
    """Note what came of a question to Slurm; one without a command (nobody waits for an end) was none."""
    kind = KINDS[update.part]
    if update.error:
        QUERY_FAILURES.labels(kind).inc()
    elif update.seconds >= _COMMAND_SECONDS:
        QUERY.labels(kind).observe(update.seconds)
