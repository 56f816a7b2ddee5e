"""What would break is refused on the real controller, and nothing changes (more of it: tests/unit)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.lab.waiting import until
from tests.lab_existing.site import DIRECTORY, REMEMBERED, play, said, survey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm

MAIN = f"{DIRECTORY}/slurm.conf"
CONTROLLER = ("--limit", "login")


@contextmanager
def added_to_theirs(login: Machine, *lines: str) -> Iterator[None]:
    """Have more lines at the end of the site's slurm.conf, which slurmctld does not read."""
    kept = f"{REMEMBERED}/kept"
    login.shell(f"cp -p {MAIN} {kept}; printf '\\n%s' '{chr(10).join(lines)}' >> {MAIN}")
    try:
        yield
    finally:
        login.run("mv", kept, MAIN)


def test_everything_that_would_break_is_said_at_once_with_its_place(login: Machine) -> None:
    lines = (
        "PreemptMode=GANG",
        "SelectTypeParameters=CR_Core",
        "PartitionName=alone Nodes=gpu1 OverSubscribe=NO",
        "PartitionName=interactive Nodes=gpu2",
        "NodeName=other NodeHostname=gpu9 NodeAddr=gpu9",
        "NodeName=gpu2 CPUs=4",
    )
    with added_to_theirs(login, *lines):
        before = survey(login, DIRECTORY)
        answer = play("slurm", *CONTROLLER)
        assert survey(login, DIRECTORY) == before
    assert answer.returncode != 0
    first = int(login.run("sed", "-n", "$=", MAIN)) + 1
    for number, words in enumerate((
        "PreemptMode=GANG: gang scheduling would suspend sessions",
        "SelectTypeParameters=CR_Core: memory is not consumable",
        "alone holds gpu1 with OverSubscribe=NO: a node then runs jobs of one partition at a time",
        "there is a partition interactive already",
    ), start=first):  # fmt: skip
        assert f"- {MAIN}:{number}: {words}" in said(answer)
    assert f"- {MAIN}:{first + 5}: gpu2 is defined a second time, after {DIRECTORY}/site/gpus.conf:1" in said(
        answer
    )


def test_an_include_that_is_not_there_is_named_at_once(login: Machine) -> None:
    with added_to_theirs(login, "Include site/gone.conf"):
        answer = play("slurm", *CONTROLLER)
    assert answer.returncode != 0
    assert f"includes {DIRECTORY}/site/gone.conf, which cannot be read" in said(answer)


def test_what_slurm_cannot_parse_is_never_put_in_place(login: Machine) -> None:
    before = survey(login, DIRECTORY)
    answer = play("slurm", *CONTROLLER, "-e", '{"slurm_interactive_partition_options": {"Colour": "blue"}}')
    assert answer.returncode != 0
    assert "Slurm refuses the configuration as it would be" in said(answer)
    assert "unrecognized key: Colour" in said(answer)
    assert survey(login, DIRECTORY) == before


def shown(slurm: Slurm) -> str:
    return slurm.login.run("scontrol", "show", "partition", "interactive")


def test_what_slurmctld_refuses_after_the_change_is_put_back(slurm: Slurm) -> None:
    before, partition = survey(slurm.login, DIRECTORY), shown(slurm)
    # Only slurmctld knows the QOS that there are.
    unknown = '{"slurm_interactive_limits": {}, "slurm_interactive_partition_options": {"QOS": "unheard_of"}}'
    answer = play("slurm", *CONTROLLER, "-e", unknown)
    assert answer.returncode != 0
    assert "every file is as it was before this run" in said(answer)
    assert survey(slurm.login, DIRECTORY) == before
    until(lambda: "is UP" in slurm.login.run("scontrol", "ping"), "slurmctld", 30)
    assert "unheard_of" not in partition
    assert shown(slurm) == partition
