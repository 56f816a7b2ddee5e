"""Slurm's words for why a job waits or was refused, in plain words.

The words are those of squeue(1), "JOB REASON CODES", and of Slurm's src/common/job_state_reason.c. Those of
limits are made of parts (`QOSMaxGRESPerUser`, `AssocGrpCpuLimit`), which are read as such.
"""

from __future__ import annotations

import re
from typing import Final

from berth.hub.texts.text import Text, say

REASONS: Final = {
    "Resources": "reasons.resources",
    "Priority": "reasons.priority",
    "Reservation": "reasons.reservation",
    "ReservationDeleted": "reasons.reservation_deleted",
    "ReqNodeNotAvail": "reasons.nodes_away",
    "Dependency": "reasons.dependency",
    "BeginTime": "reasons.begin_time",
    "JobHeldUser": "reasons.held_by_user",
    "JobHeldAdmin": "reasons.held_by_operator",
    "PartitionDown": "reasons.partition_closed",
    "PartitionInactive": "reasons.partition_closed",
    "PartitionTimeLimit": "reasons.partition_time",
    "PartitionNodeLimit": "reasons.partition_size",
    "MaxMemPerLimit": "reasons.partition_memory",
    "AccountingPolicy": "reasons.account_limit",
    "AccountNotAllowed": "reasons.account_not_allowed",
    "AssociationJobLimit": "reasons.account_jobs",
    "AssociationResourceLimit": "reasons.account_resources",
    "AssociationTimeLimit": "reasons.account_time",
    "InvalidAccount": "reasons.account_unknown",
    "InvalidQOS": "reasons.qos_unknown",
    "QOSJobLimit": "reasons.own_jobs",
    "QOSNotAllowed": "reasons.qos_not_allowed",
    "QOSResourceLimit": "reasons.own_resources",
    "QOSTimeLimit": "reasons.own_time",
    "QOSUsageThreshold": "reasons.share_used",
    "Licenses": "reasons.licence_taken",
    "Prolog": "reasons.preparing",
    "Cleaning": "reasons.cleaning",
    "NodeDown": "reasons.node_down",
    "JobLaunchFailure": "reasons.launch_failed",
    "SystemFailure": "reasons.launch_failed",
    "JobHoldMaxRequeue": "reasons.held_after_failure",
    "launch failed requeued held": "reasons.held_after_failure",
    "BadConstraints": "reasons.never_fits",
    "PartitionConfig": "reasons.never_fits",
    "DeadLine": "reasons.deadline",
    "DependencyNeverSatisfied": "reasons.dependency_failed",
    "None": "reasons.deciding",
    "": "reasons.deciding",
}

_FAILED: Final = "Batch job submission failed: "
"""What sbatch puts before every reason: it tells nobody more."""

_LIMIT = re.compile(
    r"(?P<owner>Assoc|QOS|)(?P<kind>Grp|Max|Min)"
    r"(?P<what>Submit|Jobs?|Wall(?:Duration)?|Cpu|CPU|Mem(?:ory)?|GRES|Node|License|BB|Billing|Energy|Unknown)"
    r"(?P<minutes>(?:Run)?(?:Minutes|Mins))?(?:Jobs?)?(?:Per(?P<per>User|Account|Job|Node))?"
    r"(?:NotSatisfied|Limit)?"
)
_NAMES: Final = {
    "BB": "reasons.burst_buffer",
    "CPU": "reasons.cores",
    "Cpu": "reasons.cores",
    "GRES": "reasons.gpus",
    "Job": "reasons.sessions",
    "Jobs": "reasons.sessions",
    "License": "reasons.licences",
    "Mem": "reasons.memory",
    "Memory": "reasons.memory",
    "Node": "reasons.nodes",
    "Submit": "reasons.requests",
}
"""What is limited; all else is a resource without a name."""
_UNCOUNTED: Final = frozenset({"BB", "Mem", "Memory", "Billing", "Energy", "Unknown"})
"""What there is much of, not many."""


def waiting(word: str) -> Text:
    """Say in a sentence why a job waits, for the word that squeue shows."""
    known = REASONS.get(word.replace("_", " "))  # some reasons are phrases, which some commands write so
    if known is not None:
        return say(known)
    return _limit(word, alone=False) or say("reasons.other")


def refusal(message: str) -> Text:
    """Put a sentence before what sbatch said when a limit was the cause; other messages stay as they are."""
    message = message.replace(_FAILED, "")
    sentence = _limit(message.partition(";")[0].strip(), alone=True)
    if sentence is None:
        return say("reasons.verbatim", message=message)
    return say("reasons.explained", sentence=sentence, message=message)


def _limit(word: str, *, alone: bool) -> Text | None:
    """Return a sentence about a limit, None for no limit; `alone`: the request by itself is above it."""
    found = _LIMIT.fullmatch(word)
    if found is None:
        return None
    group, wall = found["kind"] == "Grp", found["what"].startswith("Wall")
    if found["minutes"] or (group and wall):
        return say("reasons.time_spent")
    if wall:
        return say("reasons.time_too_long")
    by_itself = alone or found["kind"] == "Min" or found["per"] in {"Job", "Node"}
    return _request(found) if by_itself else _usage(found)


def _named(found: re.Match[str]) -> Text:
    return say(_NAMES.get(found["what"], "reasons.resource"))


def _request(found: re.Match[str]) -> Text:
    """Say that the request alone is out of bounds."""
    if found["what"] == "Submit":
        return say("reasons.submit_limit", usage=_usage(found))
    if found["kind"] == "Min":
        return say("reasons.too_little", what=_named(found))
    if found["per"] == "User":
        return say("reasons.too_much_user", what=_named(found))
    if found["per"] in {"Job", "Node"}:
        return say("reasons.too_much_session", what=_named(found))
    return say("reasons.too_much_account", what=_named(found))


def _usage(found: re.Match[str]) -> Text:
    """Say that what runs already is all that may run."""
    much = say("reasons.much") if found["what"] in _UNCOUNTED else say("reasons.many")
    if found["per"] == "User":
        return say("reasons.used_user", much=much, what=_named(found))
    if found["owner"] == "QOS":
        return say("reasons.used_qos", much=much, what=_named(found))
    return say("reasons.used_account", much=much, what=_named(found))
