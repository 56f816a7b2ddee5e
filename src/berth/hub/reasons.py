"""Slurm's words for why a job waits or was refused, in plain words.

The words are those of squeue(1), "JOB REASON CODES", and of Slurm's src/common/job_state_reason.c. Those of
limits are made of parts (`QOSMaxGRESPerUser`, `AssocGrpCpuLimit`), which are read as such.
"""

from __future__ import annotations

import re
from typing import Final

REASONS: Final = {
    "Resources": "No node has what you asked for free right now. A smaller request may start at once.",
    "Priority": "Others asked before you or have a higher priority.",
    "Reservation": "The reservation has not started yet.",
    "ReservationDeleted": "The reservation was deleted. Cancel, and start again without it.",
    "ReqNodeNotAvail": "The nodes that could run it are reserved, drained or down.",
    "Dependency": "It waits for another job.",
    "BeginTime": "Slurm starts it in a moment.",
    "JobHeldUser": "The job is held. Release it with scontrol, or cancel and start again.",
    "JobHeldAdmin": "An operator holds the job.",
    "PartitionDown": "The operators have closed the partition for now.",
    "PartitionInactive": "The operators have closed the partition for now.",
    "PartitionTimeLimit": "The time is longer than the partition allows. Cancel, and ask for less.",
    "PartitionNodeLimit": "The request is larger than the partition. Cancel, and ask for less.",
    "MaxMemPerLimit": "The memory is more than the partition allows. Cancel, and ask for less.",
    "AccountingPolicy": "A limit of your account does not allow it. Cancel, and ask for less.",
    "AccountNotAllowed": "Your account may not use the partition. Cancel, and choose another one.",
    "AssociationJobLimit": "Your account runs as many jobs as it may.",
    "AssociationResourceLimit": "Your account uses as much as it may.",
    "AssociationTimeLimit": "Your account has used the time that it has.",
    "InvalidAccount": "Slurm no longer knows the account. Cancel, and choose another one.",
    "InvalidQOS": "Slurm no longer knows the limits (QOS) that it was queued with. Cancel, and start again.",
    "QOSJobLimit": "You have as many sessions as you may at a time.",
    "QOSNotAllowed": "You may not use the limits (QOS) of this partition. Tell the support.",
    "QOSResourceLimit": "You use as much as you may at a time.",
    "QOSTimeLimit": "You have used the time that you may.",
    "QOSUsageThreshold": "Your account has used more than its share.",
    "None": "Slurm is about to decide.",
    "": "Slurm is about to decide.",
}

_LIMIT = re.compile(
    r"(?P<owner>Assoc|QOS|)(?P<kind>Grp|Max|Min)"
    r"(?P<what>Submit|Jobs?|Wall(?:Duration)?|Cpu|CPU|Mem(?:ory)?|GRES|Node|License|BB|Billing|Energy|Unknown)"
    r"(?P<minutes>(?:Run)?(?:Minutes|Mins))?(?:Jobs?)?(?:Per(?P<per>User|Account|Job|Node))?"
    r"(?:NotSatisfied|Limit)?"
)
_NAMES: Final = {
    "BB": "space in the burst buffer",
    "CPU": "cores",
    "Cpu": "cores",
    "GRES": "GPUs",
    "Job": "sessions",
    "Jobs": "sessions",
    "License": "licences",
    "Mem": "memory",
    "Memory": "memory",
    "Node": "nodes",
    "Submit": "requests in the queue",
}
"""What is limited; all else is a resource without a name."""


def waiting(word: str) -> str:
    """Say in a sentence why a job waits, for the word that squeue shows."""
    if word in REASONS:
        return REASONS[word]
    return _limit(word, alone=False) or "Slurm gives a reason of its own."


def refusal(message: str) -> str:
    """Put a sentence before what sbatch said when a limit was the cause; other messages stay as they are."""
    sentence = _limit(message.partition(";")[0].strip(), alone=True)
    return f"{sentence} ({message})" if sentence else message


def _limit(word: str, *, alone: bool) -> str:
    """Return a sentence about a limit; `alone`: the request by itself is above it. Empty for no limit."""
    found = _LIMIT.fullmatch(word)
    if found is None:
        return ""
    group, wall = found["kind"] == "Grp", found["what"].startswith("Wall")
    if found["minutes"] or (group and wall):
        return "The computing time that you or your account may use is spent."
    if wall:
        return "The time is longer than you may ask for. Ask for less."
    by_itself = alone or found["kind"] == "Min" or found["per"] in {"Job", "Node"}
    return _request(found) if by_itself else _usage(found)


def _request(found: re.Match[str]) -> str:
    """Say that the request alone is out of bounds."""
    if found["what"] == "Submit":
        return f"{_usage(found)} Wait until one of them ends."
    named = _NAMES.get(found["what"], "of a resource")
    if found["kind"] == "Min":
        return f"The request asks for fewer {named} than it has to."
    whom = {"User": "you", "Job": "one session", "Node": "one session"}.get(
        found["per"] or "", "your account"
    )
    return f"The request asks for more {named} than {whom} may have at a time. Ask for less."


def _usage(found: re.Match[str]) -> str:
    """Say that what runs already is all that may run."""
    named = _NAMES.get(found["what"], "of a resource")
    quantity = "many" if named.endswith("s") or found["what"] == "Submit" else "much"
    if found["per"] == "User":
        return f"You have as {quantity} {named} as you may at a time."
    if found["owner"] == "QOS":
        return f"All who share this limit (QOS) have as {quantity} {named} together as they may at a time."
    return f"Your account has as {quantity} {named} as it may at a time."
