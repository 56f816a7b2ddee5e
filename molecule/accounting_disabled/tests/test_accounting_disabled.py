"""Without accounting: nobody is charged, everybody may start, and the end of a session is still explained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab import pages
from tests.lab.hub import hub_answers
from tests.lab.notebook import Kernel
from tests.lab.sessions import Session, running
from tests.lab.waiting import until

if TYPE_CHECKING:
    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

NOTICED_SECONDS = 90.0
FORGOTTEN_SECONDS = 120.0
LABELS = (
    "Slurm reservation",
    "Slurm account",
    "Number of cores",
    "Memory",
    "GPU configuration",
    "Time",
    "Backend environment",
    "User interface",
)
INACTIVE = "Accounting is inactive"


def state(slurm: Slurm, session: Session) -> str | None:
    """The state of the session's job, of which only the controller knows."""
    return slurm.job(session.job_id).get("JobState")


@pytest.fixture(autouse=True, scope="module")
def _noticed(carol: Visitor) -> None:
    """The hub asks the controller once a minute how it is configured."""
    until(lambda: INACTIVE in pages.text(carol.form_page()), "a hub that knows", NOTICED_SECONDS)


def test_slurm_keeps_no_accounts_and_enforces_no_limit(login: Machine) -> None:
    settings = login.run("scontrol", "show", "config")
    assert "AccountingStorageEnforce = none" in settings
    assert login.attempt("systemctl", "is-active", "slurmdbd").stdout.strip() == "inactive"
    assert login.attempt("systemctl", "is-enabled", "slurmdbd").stdout.strip() == "disabled"
    assert " QoS=N/A " in login.run("scontrol", "show", "partition", "interactive", "-o")


def test_the_form_keeps_its_fields_and_says_that_nobody_is_charged(alice: Visitor) -> None:
    form = pages.form(alice.form_page(), "spawn_form")
    assert tuple(field.label for field in form.fields.values()) == LABELS
    account = form.label("Slurm account")
    assert account.choices == ("",)
    assert INACTIVE in account.hint


def test_an_account_that_is_asked_for_all_the_same_is_refused(alice: Visitor) -> None:
    answer = alice.submit_form(account="proj_a")
    assert answer.status_code == 400
    assert "Slurm account: “proj_a” is not one of the choices." in pages.text(answer)


def test_a_user_without_an_account_starts_a_session_and_stops_it(slurm: Slurm, carol: Visitor) -> None:
    with running(slurm, carol, account="", gpus="a100:1") as session:
        assert session.job["Account"] == "(null)"
        with Kernel.start(carol) as kernel:
            assert kernel.run("import os; print(os.environ['CUDA_VISIBLE_DEVICES'])") == "0"
    assert carol.server() is None
    assert state(slurm, session) == "CANCELLED"


def test_a_reservation_for_a_user_still_holds_its_node(slurm: Slurm, alice: Visitor, bob: Visitor) -> None:
    assert pages.form(alice.form_page(), "spawn_form").label("Slurm reservation").choices == ("",)
    assert pages.form(bob.form_page(), "spawn_form").label("Slurm reservation").choices == ("", "course")
    with running(slurm, bob, account="", reservation="course") as session:
        assert session.node.name == "gpu2"


def test_a_session_that_ran_out_of_memory_says_so(slurm: Slurm, alice: Visitor) -> None:
    with running(slurm, alice, account="") as session:
        with Kernel.start(alice) as kernel:
            # A kernel is ended first, and alone; here the server itself has to be what is ended.
            # What has ended meanwhile needs nothing.
            session.node.shell(
                "for pid in $(pgrep -u alice); do"
                " echo 0 2>/dev/null > /proc/$pid/oom_score_adj || test ! -e /proc/$pid; done"
            )
            session.node.shell(f"echo 1000 > /proc/{session.server_pid()}/oom_score_adj")
            kernel._send("taken = bytearray(2 << 30)")  # noqa: SLF001 - no answer is to be waited for
            until(lambda: state(slurm, session) == "OUT_OF_MEMORY", "the end of the job", 60)
        until(lambda: alice.server() is None, "a hub that knows", 60)
        said = pages.text(alice.form_page())
        assert "The session ran out of memory: it had asked for 500 MiB" in said


def test_what_slurm_forgets_while_the_hub_is_away_is_over(
    slurm: Slurm, login: Machine, alice: Visitor
) -> None:
    with running(slurm, alice, account="") as session:
        login.run("systemctl", "stop", "berth-hub")
        try:
            slurm.cancel(session.job_id)
            until(lambda: slurm.job(session.job_id) == {}, "a controller that has let go", FORGOTTEN_SECONDS)
        finally:
            login.run("systemctl", "start", "berth-hub")
        until(lambda: hub_answers(alice), "a hub that answers", 45)
        until(lambda: alice.server() is None, "a hub that knows", 60)
        assert "How is not known: accounting is inactive" in pages.text(alice.form_page())
