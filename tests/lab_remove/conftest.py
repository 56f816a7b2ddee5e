"""The lab's fixtures."""

from __future__ import annotations

from tests.lab.conftest import alice, bob, context, login, pytest_runtest_makereport, slurm

__all__ = ["alice", "bob", "context", "login", "pytest_runtest_makereport", "slurm"]
