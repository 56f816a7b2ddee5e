"""Whether there is accounting is read from the controller itself."""

from __future__ import annotations

import pytest

from berth.slurm.answers import records
from berth.slurm.errors import SlurmValueError
from tests.unit.slurm import recorded

CONFIG = "AccountingStorageEnforce = {}\nAccountingStorageType   = {}\nPrivateData             = {}\n"
CONFIG += "SLURM_VERSION = 24.11.5\n"
VERSIONS = {"22.05": (22, 5), "24.11": (24, 11), "26.05": (26, 5)}
SLURMDBD = "accounting_storage/slurmdbd"


@pytest.mark.parametrize("version", recorded.VERSIONS)
def test_a_slurm_with_accounting_is_recognized(version: str) -> None:
    found = records.parse_controller(recorded.text(version, "config.txt"))
    assert found == records.Controller(
        accounting=True, associations=True, private_jobs=False, limits=True, version=VERSIONS[version]
    )
    assert found.accounts_are_trees is (version != "22.05")


def test_a_slurm_without_accounting_is_recognized() -> None:
    found = records.parse_controller(recorded.text("24.11", "config-without-accounting.txt"))
    assert found == records.Controller(accounting=False, associations=False, private_jobs=False)


@pytest.mark.parametrize("storage", ["accounting_storage/none", "(null)", ""])
def test_nothing_is_enforced_where_nothing_is_stored(storage: str) -> None:
    found = records.parse_controller(CONFIG.format("associations,limits", storage, "none"))
    assert (found.accounting, found.associations) == (False, False)


def test_accounting_without_enforcement_asks_for_no_account() -> None:
    found = records.parse_controller(CONFIG.format("none", SLURMDBD, "none"))
    assert (found.accounting, found.associations, found.limits) == (True, False, False)


@pytest.mark.parametrize(("words", "limits"), [("associations", False), ("qos", False), ("safe", True)])
def test_what_is_enforced_may_stand_in_other_words(words: str, *, limits: bool) -> None:
    found = records.parse_controller(CONFIG.format(words, SLURMDBD, "none"))
    assert (found.associations, found.limits) == (True, limits)


def test_private_jobs_are_noticed() -> None:
    assert records.parse_controller(CONFIG.format("none", SLURMDBD, "jobs,usage")).private_jobs


def test_an_answer_that_does_not_say_it_is_refused() -> None:
    with pytest.raises(SlurmValueError, match="AccountingStorageType: is missing"):
        records.parse_controller("PrivateData = none")
