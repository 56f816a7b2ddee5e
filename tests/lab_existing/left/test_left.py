"""After playbooks/slurm_remove.yml: nothing of ours is left, and nothing of theirs is different."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.machines import NODES, Machine
from tests.lab_existing.site import DIRECTORY, play, remembered, said, survey

if TYPE_CHECKING:
    from tests.lab.slurm import Slurm


@pytest.mark.parametrize("name", ["login", *NODES])
def test_their_directory_is_byte_for_byte_what_it_was(name: str) -> None:
    machine = Machine(name)
    assert survey(machine, DIRECTORY) == remembered(machine)


@pytest.mark.parametrize("name", ["login", *NODES])
def test_nothing_of_the_trials_is_left(name: str) -> None:
    assert Machine(name).run("find", "/tmp", "-maxdepth", "1", "-name", "slurm-interactive-*") == ""  # noqa: S108


def test_slurm_knows_their_partitions_alone_and_their_jobs_run(slurm: Slurm) -> None:
    names = set(slurm.login.run("sinfo", "-h", "-o", "%R").split())
    assert names == {"batch", "shared"}
    assert slurm.login.attempt("scontrol", "show", "partition", "interactive").rc != 0


def test_a_second_removal_changes_nothing() -> None:
    answer = play("slurm_remove", "--limit", "login")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert " changed=0 " in said(answer)
