"""Errors of :mod:`berth.slurm`. Every one can be shown to a person: it is a sentence."""

from __future__ import annotations


class SlurmError(Exception):
    """Base of everything that :mod:`berth.slurm` raises on purpose."""


class SlurmValueError(SlurmError, ValueError):
    """A value that Slurm would refuse, or would read as something that nobody meant.

    *at* leads to it from the descriptions that were given: positions and keys, ``(1, "gpus", 0, "count")``.
    """

    def __init__(self, message: str, at: tuple[str | int, ...] = ()) -> None:
        """Keep the sentence, and where the value stands."""
        super().__init__(message)
        self.at = at


class SlurmUnavailable(SlurmError):  # noqa: N818 - it names a state of Slurm, which callers show as such
    """Slurm gave no answer that could be used: nothing is known, nothing is proved."""


class SlurmRefused(SlurmError):  # noqa: N818 - the same
    """Slurm understood the question and said no."""
