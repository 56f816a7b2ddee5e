"""What the database keeps of a session, so that a hub that was killed finds it again."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

JOB_PREFIX: Final = "berth-"

SUBMITTING: Final = "submitting"
"""The nonce is committed, the answer of sbatch is not known (yet)."""
QUEUED: Final = "queued"
"""The job id is known; the session has not reported."""
READY: Final = "ready"
"""The session serves at a known address."""
STOPPING: Final = "stopping"
"""Cancelling was begun."""


@dataclass
class SessionRecord:
    """One submitted session. It is forgotten only when the end of its job is proven."""

    nonce: str
    """32 hexadecimal digits, new for each start; stands in the job's name."""
    token_id: int
    """Row id of the session's API token; the token itself is never stored by Berth."""
    requested_at: float
    """Unix time of the start."""
    phase: str = SUBMITTING
    job_id: int | None = None
    submitted_at: float | None = None
    """Unix time at which the hub knew the job id."""
    port: int | None = None
    """Port that the session reported."""
    reported_at: float | None = None
    """Unix time of that report."""
    asked: dict[str, Any] = field(default_factory=dict)
    """What was chosen, in the units that sbatch gets (see `berth.hub.form.options.SessionOptions`)."""
    unanswered: bool = False
    """Nobody said whether the submission reached Slurm; it is looked for in the queue."""
    failure: dict[str, Any] | None = None
    """Why the hub ended it by itself: a stored `Text` (see `berth.hub.texts.text`)."""
    idle_minutes: int = 0
    """The session said that it ends because nobody used it for so long; 0: it did not."""
    ended_by: dict[str, Any] | None = None
    """What an operator who ended it says to its user: a stored `Text`."""
    extensions: int = 0
    """How often it was given more time."""
    restarts: int = 0
    """How often Slurm had requeued the job when it was last looked at."""

    @property
    def job_name(self) -> str:
        """The job's name in Slurm."""
        return JOB_PREFIX + self.nonce

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> SessionRecord:
        """Read a stored record; keys of another version of Berth are ignored."""
        known = {item.name for item in fields(cls)}
        return cls(**{key: value for key, value in document.items() if key in known})
