"""What a check is, and what it finds."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Status(enum.StrEnum):
    """How a thing is; only a failure makes the command end with 1."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"
    NOT_APPLICABLE = "not applicable"


class Scope(enum.StrEnum):
    """Where a check makes sense."""

    HUB = "hub"
    """On the hub host, as root."""
    NODE = "node"
    """On a compute node, as root."""
    JOB = "job"
    """Inside a job of the partition, as its user."""


class NotApplicableError(Exception):
    """The check has nothing to look at; the text is the reason."""


@dataclass(frozen=True)
class Finding:
    """One sentence about one thing; *fix* says what to do, and stands where it is not well."""

    status: Status
    text: str
    fix: str = ""


@dataclass(frozen=True)
class Check:
    """One check: `function` of `module` (below `berth.doctor`) takes the site and gives what it finds.

    `name` is `area.thing`. `about` says what is looked at, in a few words. `seconds` is how long it may take.
    """

    name: str
    scopes: frozenset[Scope]
    module: str
    function: str
    about: str
    seconds: float = 60.0


@dataclass(frozen=True)
class Result:
    """A finding, and the check that made it."""

    check: str
    finding: Finding


def ok(text: str) -> Finding:
    """Say that something is well."""
    return Finding(Status.OK, text)


def warning(text: str, fix: str) -> Finding:
    """Say that something works, but not as it should."""
    return Finding(Status.WARNING, text, fix)


def failure(text: str, fix: str) -> Finding:
    """Say that something does not work, or does not protect."""
    return Finding(Status.FAILURE, text, fix)


def judged(problems: Iterable[Finding], well: str) -> list[Finding]:
    """Give the problems; where there are none, say that all is *well*."""
    return list(problems) or [ok(well)]
