"""What the hub learns from the helper: verdicts that say exactly what is known."""

from __future__ import annotations

import dataclasses
import enum


class Verdict(enum.StrEnum):
    """What is known about a request: it was done, it was not done (two ways), or nobody can say."""

    OK = "ok"
    REFUSED = "refused"
    """A clear no from Slurm. Nothing was done; asking again the same way is useless."""
    UNAVAILABLE = "unavailable"
    """The helper could not be asked, or could not or would not ask Slurm. Nothing was done."""
    UNKNOWN = "unknown"
    """It may or may not have been done: look before you ask again."""


class PasswordVerdict(enum.StrEnum):
    """The outcome of a check of a password or an account; only OK lets somebody in."""

    OK = "ok"
    WRONG = "wrong-password"
    NO_ACCOUNT = "no-account"
    """No ordinary account is called that. Never the answer to a password, which is WRONG then."""
    RATE_LIMITED = "rate-limited"
    NOT_IN_GROUP = "not-in-group"
    """It is the owner who asks, but the account is not in the site's group for this service."""
    NOT_ALLOWED = "not-allowed"
    """As before, but the system does not let the account in (expiry); `message` is PAM's."""
    UNAVAILABLE = "unavailable"
    """The check could not be made."""


@dataclasses.dataclass(frozen=True, slots=True)
class PasswordResult:
    """Outcome of a check; `message` is for the journal, empty when OK."""

    verdict: PasswordVerdict
    message: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class SubmitResult:
    """Outcome of a submission; `job_id` is set exactly when the verdict is OK, else `message` says why."""

    verdict: Verdict
    job_id: int | None = None
    message: str = ""
    error: str = ""
    """The helper's word for why it was not done; empty where none came from there."""


@dataclasses.dataclass(frozen=True, slots=True)
class CancelResult:
    """Outcome of a cancellation; OK means that Slurm took the order, not that the job has ended."""

    verdict: Verdict
    message: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class EstimateResult:
    """Outcome of an estimate; `text` is Slurm's sentence when OK, else `message` says why there is none."""

    verdict: Verdict
    text: str = ""
    message: str = ""
    error: str = ""
    """As in `SubmitResult`."""


@dataclasses.dataclass(frozen=True, slots=True)
class ExtendResult:
    """Outcome of an extension; OK means that Slurm has the new limit, else `message` says why not."""

    verdict: Verdict
    message: str = ""
