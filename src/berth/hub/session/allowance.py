"""How much more time a site gives running sessions."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Extension(BaseModel):
    """More time for running sessions, on their users' request."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hours: int = Field(ge=1, le=168)
    """What one request gives."""
    times: int = Field(default=1, ge=1, le=100)
    """How often a session may be given that."""
    most_hours: int = Field(ge=1, le=8784)
    """The longest time of a session in all."""

    @property
    def minutes(self) -> int:
        """What one request gives, in minutes."""
        return self.hours * 60

    @property
    def most_minutes(self) -> int:
        """The longest time in all, in minutes."""
        return self.most_hours * 60
