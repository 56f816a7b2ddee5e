"""What sessions used, as operators and users read it, against Slurm's accounting in its own words."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser import axe
from tests.browser.looks import look, tab_through
from tests.lab import pages
from tests.lab.circumstances import halted
from tests.lab.cluster import OPEN_TYPE
from tests.lab.hub import hub_answers
from tests.lab.sessions import JOB_NAME, running
from tests.lab.waiting import until

if TYPE_CHECKING:
    from tests.browser.window import Window
    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

BERTH = "/opt/berth-hub/venv/bin/berth"
PAGE = "/hub/berth/usage"
FIGURES = ["sessions", "hours", "gpu_hours", "core_hours", "cpu_efficiency", "memory_efficiency"]
SIZES = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
SECONDS = 60.0


def usage(login: Machine, *options: str) -> dict[tuple[str, ...], dict[str, Any]]:
    """The rows of the command, by what they are told apart by."""
    found = json.loads(login.run(BERTH, "usage", "--json", *options))
    return {tuple(row[key] for key in found["by"]): row for row in found["rows"]}


def accounted(login: Machine, user: str) -> list[dict[str, str]]:
    """The user's sessions of this month and their steps in Slurm's words."""
    names = "JobIDRaw,JobName,State,ElapsedRaw,AllocCPUS,TotalCPU,MaxRSS,ReqTRES,AllocTRES,Start"
    first = login.run("date", "+%Y-%m-01").strip()
    listing = login.run("sacct", "-P", f"--user={user}", f"--starttime={first}", f"--format={names}")
    rows = [row for row in csv.DictReader(io.StringIO(listing), delimiter="|") if row["Start"] > first]
    ours = {row["JobIDRaw"] for row in rows if JOB_NAME.fullmatch(row["JobName"])}
    return [row for row in rows if row["JobIDRaw"].partition(".")[0] in ours]


def seconds(clock: str) -> float:
    """Slurm's [DAYS-][HOURS:]MINUTES:SECONDS[.FRACTION]."""
    days, _, rest = clock.rpartition("-")
    parts = [float(part) for part in rest.split(":")]
    hours, minutes, left = [0.0] * (3 - len(parts)) + parts
    return timedelta(days=int(days or 0), hours=hours, minutes=minutes, seconds=left).total_seconds()


def size(text: str) -> float:
    """Bytes of Slurm's sizes, 0 for none."""
    return float(text.rstrip("KMGT") or 0) * SIZES[re.sub("[^KMGT]", "", text)]


def count(resources: str, name: str) -> str:
    """One of Slurm's trackable resources."""
    return dict(item.split("=", 1) for item in resources.split(",") if item).get(name, "0")


def expected(rows: list[dict[str, str]]) -> dict[str, Any]:
    """The figures by the definitions of berth.hub.usage.arithmetic, from the text of sacct."""
    # Slurm may account resources to a job that was cancelled before it got a node.
    started = [row for row in rows if row["Start"] not in {"None", "Unknown"}]
    jobs = [row for row in started if "." not in row["JobIDRaw"] and row["AllocTRES"]]
    steps = [row for row in rows if "." in row["JobIDRaw"]]
    busy = held = peak = asked = 0.0
    for job in jobs:
        own = [step for step in steps if step["JobIDRaw"].startswith(f"{job['JobIDRaw']}.")]
        if not own:  # ended before it had one: nothing is measured
            continue
        ran = float(job["ElapsedRaw"])
        busy += sum(seconds(step["TotalCPU"]) for step in own)
        held += ran * int(job["AllocCPUS"])
        most = max(size(step["MaxRSS"]) for step in own)
        peak += ran * most
        asked += ran * size(count(job["ReqTRES"], "mem")) if most else 0.0
    hours = [float(job["ElapsedRaw"]) / 3600 for job in jobs]
    gpus = [int(count(job["AllocTRES"], "gres/gpu")) for job in jobs]
    return {
        "sessions": len(jobs),
        "hours": sum(hours),
        "gpu_hours": sum(each * number for each, number in zip(hours, gpus, strict=True)),
        "core_hours": sum(each * int(job["AllocCPUS"]) for each, job in zip(hours, jobs, strict=True)),
        "cpu_efficiency": busy / held,
        "memory_efficiency": peak / asked,
    }


def restart(login: Machine, visitor: Visitor) -> None:
    """Have a hub that has asked nothing yet; sessions go on."""
    login.run("systemctl", "restart", "berth-hub")
    until(lambda: hub_answers(visitor), "the hub", SECONDS)


def shown(visitor: Visitor) -> list[list[str]]:
    """The table of the page, as soon as the figures are there."""

    def there() -> bool:
        return "As of" in pages.text(visitor.http.get(PAGE).raise_for_status())

    until(there, "figures on the page", SECONDS)
    return pages.table(visitor.http.get(PAGE), "berth-usage")


def test_a_session_is_in_the_figures_by_slurm_s_own_account(
    slurm: Slurm, login: Machine, alice: Visitor
) -> None:
    before = usage(login, "--by", "user").get(("alice",), dict.fromkeys(FIGURES, 0))
    with running(slurm, alice, gpus=f"{OPEN_TYPE}:1", cores="2") as session:
        job = session.job_id
        until(lambda: usage(login)["alice",]["sessions"] == before["sessions"] + 1, "a session that runs", 30)
    until(lambda: slurm.accounted(job, "End") not in {"", "Unknown"}, "the end in accounting", SECONDS)
    until(lambda: all(row["TotalCPU"] for row in accounted(login, "alice")), "all steps", SECONDS)
    after = usage(login)["alice",]
    ran = float(slurm.accounted(job, "ElapsedRaw")) / 3600
    assert after["hours"] - before["hours"] == pytest.approx(ran, abs=2e-4)
    assert after["gpu_hours"] - before["gpu_hours"] == pytest.approx(ran, abs=2e-4)
    assert after["core_hours"] - before["core_hours"] == pytest.approx(2 * ran, abs=2e-4)
    wanted = expected(accounted(login, "alice"))
    assert {name: after[name] for name in FIGURES} == pytest.approx(wanted, rel=0.01, abs=2e-3)


def test_other_jobs_of_the_partition_do_not_count(slurm: Slurm, login: Machine) -> None:
    before = usage(login, "--by", "user,account")
    slurm.output("alice", script="echo by hand")
    assert usage(login, "--by", "user,account") == before


def test_the_operator_gets_csv_with_the_documented_columns(login: Machine) -> None:
    printed = login.run(BERTH, "usage", "--by", "user,account,month", "--csv")
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert list(rows[0]) == ["user", "account", "month", *FIGURES]
    month = login.run("date", "+%Y-%m").strip()
    (found,) = [row for row in rows if (row["user"], row["account"]) == ("alice", "proj_a")]
    assert found["month"] == month
    assert float(found["core_hours"]) >= float(found["hours"]) > 0
    assert 0 < float(found["memory_efficiency"]) <= 1.05
    long_ago = login.run(BERTH, "usage", "--from", "2020-01-01", "--until", "2020-02-01", "--csv")
    assert long_ago.splitlines() == [",".join(["user", *FIGURES])]


def test_users_see_their_own_figures_and_the_hub_asks_once_for_all(
    login: Machine, alice: Visitor, bob: Visitor
) -> None:
    restart(login, alice)
    table = shown(alice)
    assert table[0][:3] == ["Month", "Account", "Sessions"]
    row = next(row for row in table[1:] if row[1] == "proj_a")
    told = usage(login, "--by", "user,account")["alice", "proj_a"]
    assert row[2:6] == [
        str(told["sessions"]),
        *(f"{told[name]:.1f}" for name in ("hours", "core_hours", "gpu_hours")),
    ]
    assert row[6:] == [f"{told[name]:.0%}".replace("%", " %") for name in FIGURES[4:]]
    theirs = pages.text(bob.http.get(PAGE))
    assert "proj_a" not in theirs
    moments = {re.search(r"As of (\S+)\.", pages.text(who.http.get(PAGE))) for who in [alice, bob] * 10}
    assert {found and found[1] for found in moments} == {re.search(r"As of (\S+)\.", theirs)[1]}  # type: ignore[index]


def test_while_accounting_is_away_the_page_and_the_command_say_so(login: Machine, alice: Visitor) -> None:
    before = shown(alice)
    with halted(login, "slurmdbd"):
        assert shown(alice) == before, "what was known stays"
        answer = login.attempt(BERTH, "usage", "--csv")
        assert answer.rc == 1
        assert answer.stdout == ""
        assert re.fullmatch(r"sacct .*\n", answer.stderr), answer.stderr
        restart(login, alice)
        until(
            lambda: "Slurm's accounting does not answer at the moment" in pages.text(alice.http.get(PAGE)),
            "a page that says so",
            SECONDS,
        )
    # The hub asks a minute later; a new one asks at once.
    restart(login, alice)
    assert shown(alice) == before


def test_the_page_fits_every_screen_and_reader(browser: Window) -> None:
    browser.open("/hub/login?next=%2Fhub%2Fhome")
    browser.log_in("alice")
    browser.see("a[href$='/berth/usage']", "Your usage").click()
    browser.see("#berth-usage", "proj_a", 60)
    tab_through(browser)
    look(browser, "usage")
    browser.see("button", "Italiano").click()
    browser.see("h1", "Le risorse usate")
    assert axe.violations(browser) == []
    browser.see("button", "English").click()
    browser.see("h1", "Your usage")
