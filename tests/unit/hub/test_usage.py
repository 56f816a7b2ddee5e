"""What sessions used: the arithmetic, Slurm's real answers, the hub's page, and the operator's command."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from berth.hub.handlers.usage import page_of
from berth.hub.settings import SlurmSettings
from berth.hub.texts import text
from berth.hub.usage import arithmetic, cli, query, recent
from berth.hub.usage.__main__ import answer
from berth.hub.usage.arithmetic import HOUR, Period, Totals, tally
from berth.hub.usage.recent import Known, Recent
from berth.slurm.answers import client, records
from berth.slurm.errors import SlurmUnavailable
from tests.unit.hub.factories import job, snapshot
from tests.unit.hub.website import Website
from tests.unit.slurm.recorded import VERSIONS, document
from tests.unit.slurm.recorded import text as recorded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from berth.slurm.answers.records import Job
    from tests.unit.hub.conftest import Stage

DAY = 24 * HOUR
NOVEMBER = 1793491200.0
"""2026-11-01 00:00 UTC."""
DECEMBER = NOVEMBER + 30 * DAY
PERIOD = Period(NOVEMBER, DECEMBER)
NAME = "berth-" + "0" * 32


@pytest.fixture(autouse=True)
def _zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Months are those of the host's time zone: here UTC."""
    import time  # noqa: PLC0415

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def session(start: float, hours: float, **changes: Any) -> Job:
    """A session of two cores, one GPU and 1000 MiB that has ended: half busy, with a peak of 250 MiB."""
    base = job(
        name=NAME, state="COMPLETED", nodes=("gpu1",), cpus=2, memory_mib=1000, gpus={"a100": 1},
        start_time=int(start), end_time=int(start + hours * HOUR), cpu_seconds=hours * HOUR,
        peak_memory_mib=250, usage_complete=True,
    )  # fmt: skip
    return replace(base, **changes)


def figures(jobs: list[Job], period: Period = PERIOD, now: float = DECEMBER) -> dict[str, Any]:
    return arithmetic.figures(tally(jobs, period, (), now).get((), Totals()))


# --- arithmetic -------------------------------------------------------------------------------------------


def test_a_session_counts_its_time_cores_gpus_and_how_busy_they_were() -> None:
    assert figures([session(NOVEMBER + DAY, 3)]) == {
        "sessions": 1,
        "hours": 3.0,
        "gpu_hours": 3.0,
        "core_hours": 6.0,
        "cpu_efficiency": 0.5,
        "memory_efficiency": 0.25,
    }


def test_the_figures_of_two_periods_are_those_of_both_together() -> None:
    over = session(DECEMBER - HOUR, 4)
    first = tally([over], PERIOD, (), DECEMBER + DAY)[()]
    second = tally([over], Period(DECEMBER, DECEMBER + 31 * DAY), (), DECEMBER + DAY)[()]
    both = tally([over], Period(NOVEMBER, DECEMBER + 31 * DAY), (), DECEMBER + DAY)[()]
    assert (first.sessions, second.sessions) == (1, 0)
    assert (first.hours, second.hours) == (1.0, 3.0)
    assert first + second == both
    assert first.cpu_efficiency == second.cpu_efficiency == 0.5


def test_months_are_those_of_the_calendar_and_a_session_over_midnight_is_in_both() -> None:
    found = tally([session(DECEMBER - HOUR, 3)], Period(NOVEMBER, DECEMBER + DAY), ("month",), DECEMBER + DAY)
    assert {group: total.hours for group, total in found.items()} == {("2026-11",): 1.0, ("2026-12",): 2.0}


def test_a_month_begins_at_midnight_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    import time  # noqa: PLC0415

    monkeypatch.setenv("TZ", "Europe/Rome")
    time.tzset()
    names = [name for name, _ in Period(NOVEMBER - HOUR, NOVEMBER).months()]
    assert names == ["2026-11"], "it is midnight in Rome an hour before it is in Greenwich"


def test_a_running_session_counts_until_now_and_not_for_the_efficiencies() -> None:
    runs = session(
        DECEMBER - 5 * HOUR, 8, state="RUNNING", cpu_seconds=None, peak_memory_mib=None, usage_complete=False
    )
    found = figures([runs], now=DECEMBER - 3 * HOUR)
    assert (found["sessions"], found["hours"], found["core_hours"]) == (1, 2.0, 4.0)
    assert (found["cpu_efficiency"], found["memory_efficiency"]) == (None, None)
    both = figures([runs, session(NOVEMBER, 2)], now=DECEMBER - 3 * HOUR)
    assert (both["hours"], both["cpu_efficiency"], both["memory_efficiency"]) == (4.0, 0.5, 0.25)


@pytest.mark.parametrize(
    "changes",
    [
        {"nodes": (), "state": "CANCELLED"},
        {"start_time": None, "end_time": None, "nodes": (), "state": "PENDING"},
        {"start_time": int(NOVEMBER - 2 * HOUR), "end_time": int(NOVEMBER - HOUR)},
        {"start_time": int(DECEMBER), "end_time": int(DECEMBER + HOUR)},
    ],
    ids=["cancelled in the queue", "waits", "before", "after"],
)
def test_what_did_not_run_in_the_period_is_no_session_of_it(changes: dict[str, Any]) -> None:
    assert tally([session(NOVEMBER, 1, **changes)], PERIOD, (), DECEMBER) == {}


def test_a_session_of_no_seconds_is_a_session() -> None:
    assert figures([session(NOVEMBER, 0)])["sessions"] == 1


def test_long_sessions_of_much_memory_weigh_more() -> None:
    small = session(NOVEMBER, 1, memory_mib=1000, peak_memory_mib=1000)
    large = session(NOVEMBER, 3, memory_mib=9000, peak_memory_mib=0)
    assert figures([small, replace(large, peak_memory_mib=1)])["memory_efficiency"] == pytest.approx(
        (1000 + 3) / (1000 + 27000), abs=1e-4
    )


def test_sessions_are_told_apart_as_asked_and_in_order() -> None:
    jobs = [
        session(NOVEMBER, 1, job_id=1, user="bob", account="proj_b"),
        session(NOVEMBER, 2, job_id=2, account="proj_b"),
        session(NOVEMBER, 4, job_id=3),
    ]
    found = {
        group: total.hours for group, total in tally(jobs, PERIOD, ("user", "account"), DECEMBER).items()
    }
    assert found == {("alice", "proj_a"): 4.0, ("alice", "proj_b"): 2.0, ("bob", "proj_b"): 1.0}
    assert list(found) == sorted(found)


def test_an_account_without_sessions_has_no_row() -> None:
    assert tally([], PERIOD, arithmetic.KEYS, DECEMBER) == {}


# --- Slurm's answers --------------------------------------------------------------------------------------


@pytest.fixture(params=VERSIONS)
def accounting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A real answer of sacct to every question; the questions that were asked."""
    asked: list[list[str]] = []

    async def run(argv: list[str], timeout: float) -> str:  # noqa: ASYNC109 - as the real one
        asked.append(argv)
        assert timeout == 30
        return json.dumps(document(request.param, "sacct"))

    monkeypatch.setattr(client, "run", run)
    return asked


SLURM = SlurmSettings(partition="interactive")


async def test_only_the_service_s_jobs_count_and_each_once(accounting: list[list[str]]) -> None:
    found = await query.sessions(SLURM, PERIOD)
    assert [item.name for item in found] == ["berth-0123456789abcdef0123456789abcdef"]
    assert len(accounting) == 5, "a month is asked for in weeks, one after the other"
    assert accounting[0][1:] == [
        "--allusers", "--json", "--partition=interactive",
        "--starttime=2026-11-01T00:00:00", "--endtime=2026-11-08T00:00:00",
    ]  # fmt: skip
    assert accounting[-1][-1] == "--endtime=2026-12-01T00:00:00"


@pytest.mark.parametrize("version", VERSIONS)
def test_the_figures_of_real_answers_are_what_the_answer_says(version: str) -> None:
    """Of a job with GPUs that ended: against the figures of the document itself, read independently."""
    answered = document(version, "sacct")
    jobs = {item.name: item for item in records.parse_sacct(answered)}
    raw = {item["name"]: item for item in answered["jobs"]}
    for name in ("memory", "timeout", "gpus"):
        found, times = jobs[name], raw[name]["time"]
        assert found.nodes, name
        if not found.ended or found.start_time is None or found.end_time is None:
            continue
        total = tally([found], Period(0, 2.0**33), (), 2.0**33)[()]
        steps = [step["time"]["total"] for step in raw[name]["steps"]]
        busy = sum(step["seconds"] + step["microseconds"] / 1e6 for step in steps)
        assert total.seconds == times["elapsed"] == found.end_time - found.start_time
        assert total.core_seconds == times["elapsed"] * found.cpus
        assert total.busy_seconds == pytest.approx(busy if times["elapsed"] else 0)
        assert total.gpu_seconds == times["elapsed"] * sum(found.gpus.values())


async def test_without_accounting_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(*_: Any) -> str:
        raise SlurmUnavailable("sacct --json: Slurm accounting storage is disabled")

    monkeypatch.setattr(client, "run", run)
    with pytest.raises(query.AccountingDisabled, match="keeps no accounting"):
        await query.sessions(SLURM, PERIOD)
    found = await answer(["interactive", "/usr/bin", "30", str(NOVEMBER), str(DECEMBER)])
    assert found["disabled"] is True


async def test_the_hub_s_child_prints_sums_that_the_hub_reads(accounting: list[list[str]]) -> None:
    found = await answer(["interactive", "/usr/bin", "30", "1790000000", "1800000000"])
    assert accounting
    rows = recent._by_user(json.loads(json.dumps(found))["rows"])
    ((user, ((month, account, sums),)),) = rows.items()
    assert (user, account, month) == ("alice", "proj_a", "2026-11")
    assert sums.sessions == 1


# --- the hub ----------------------------------------------------------------------------------------------

CHILD = """
import json, os, sys, time
count = len(os.listdir({folder!r}))
open({folder!r} + f"/{{count}}", "x").close()
time.sleep({seconds})
sys.stdout.write({printed!r})
"""
START = asyncio.create_subprocess_exec
ANSWER = {"rows": [["alice", "proj_a", "2026-11", {"sessions": 2, "seconds": 7200.0}]]}


class Scripted(Recent):
    """Starts a program of the test's instead of the child."""

    folder: Path

    def asked(self) -> int:
        return len(list(self.folder.iterdir()))


@pytest.fixture
def scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    script(tmp_path, monkeypatch, json.dumps(ANSWER))
    made = Scripted(SLURM, 3)
    made.folder = tmp_path / "asked"
    return made


def script(place: Path, monkeypatch: pytest.MonkeyPatch, printed: str, seconds: float = 0.0) -> None:
    (place / "asked").mkdir(exist_ok=True)
    program = CHILD.format(folder=str(place / "asked"), printed=printed, seconds=seconds)

    async def start(*_: Any, **options: Any) -> Any:
        return await START(sys.executable, "-I", "-c", program, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)


async def test_however_many_open_the_page_there_is_one_question(scripted: Scripted) -> None:
    answers = await asyncio.gather(*(scripted.ask() for _ in range(200)))
    assert {known.rows["alice"] for known in answers} == {
        (("2026-11", "proj_a", Totals(sessions=2, seconds=7200.0)),)
    }
    await asyncio.gather(*(scripted.ask() for _ in range(200)))
    assert scripted.asked() == 1


async def test_an_old_answer_is_asked_for_anew_and_stays_until_then(
    scripted: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await scripted.ask()
    scripted._next_at = 0.0
    monkeypatch.setattr(recent, "PATIENCE_SECONDS", 0.01)
    script(tmp_path, monkeypatch, json.dumps({"rows": []}), seconds=0.3)
    assert (await scripted.ask()) == first, "a slow answer is not waited for"
    monkeypatch.setattr(recent, "PATIENCE_SECONDS", 10.0)
    assert (await scripted.ask()).rows == {}
    assert scripted.asked() == 2


@pytest.mark.parametrize(
    "printed", ['{"error": "slurmdbd is away", "disabled": false}', "no document", "[]", '{"rows": [[1]]}']
)
async def test_accounting_that_does_not_answer_is_asked_seldom_and_what_was_known_stays(
    scripted: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printed: str
) -> None:
    before = await scripted.ask()
    scripted._next_at = 0.0
    script(tmp_path, monkeypatch, printed)
    for _ in range(5):
        known = await scripted.ask()
    assert (known.rows, known.asked_at) == (before.rows, before.asked_at)
    assert known.error
    assert scripted.asked() == 2


async def test_the_loop_goes_on_while_slurm_thinks(
    scripted: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path, monkeypatch, json.dumps(ANSWER), seconds=0.5)
    asking = asyncio.create_task(scripted.ask())
    turns = 0
    while not asking.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert turns > 20


# --- the page ---------------------------------------------------------------------------------------------

ROWS = {
    "alice": (
        ("2026-10", "proj_a", Totals(1, 3600.0, 7200.0, 0.0)),
        ("2026-11", "proj_a", Totals(3, 36000.0, 72000.0, 36000.0, 36000.0, 72000.0, 250.0, 1000.0)),
        ("2026-11", "proj_b", Totals(1, 900.0, 900.0, 900.0)),
    ),
    "bob": (("2026-11", "proj_b", Totals(9)),),
}


def test_the_page_has_the_last_month_first_and_the_sums_at_the_end() -> None:
    page = page_of(Known(ROWS, DECEMBER - 60), "alice", DECEMBER - HOUR)
    assert [[str(cell) for cell in row] for row in page.rows] == [
        ["2026-11 (so far)", "proj_a", "3", "10.0", "20.0", "10.0", "50 %", "25 %"],
        ["2026-11 (so far)", "proj_b", "1", "0.2", "0.2", "0.2", "-", "-"],
        ["2026-10", "proj_a", "1", "1.0", "2.0", "0.0", "-", "-"],
    ]
    assert [str(cell) for cell in page.total] == [
        "All together",
        "",
        "5",
        "11.2",
        "22.2",
        "10.2",
        "50 %",
        "25 %",
    ]
    assert str(page.notice).startswith("As of 2")


@pytest.mark.parametrize(
    ("known", "said", "pending"),
    [
        (Known(), "are being added up", True),
        (Known(error="slurmdbd is away"), "does not answer at the moment. Try again", False),
        (Known(disabled=True), "keeps no accounting", False),
        (Known({}, NOVEMBER, error="slurmdbd is away"), "nothing newer is known", False),
    ],
)
def test_what_is_not_known_is_said(known: Known, said: str, *, pending: bool) -> None:
    page = page_of(known, "alice", DECEMBER)
    assert said in str(page.notice)
    assert page.pending is pending
    assert page.rows == ()


class Answering:
    """Gives what the test says, and counts who asks."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.asked = 0

    async def ask(self) -> Known:
        self.asked += 1
        return self.known


async def test_users_see_their_own_figures_in_their_language(stage: Stage) -> None:
    stage.service.usage = Answering(Known(ROWS, NOVEMBER))  # type: ignore[assignment]
    site = Website(stage)
    page = await site.page("/hub/berth/usage")
    table = page.select_one("#berth-usage")
    assert table is not None
    assert len(table.select("tbody tr")) == 4
    assert "9" not in {cell.get_text() for cell in table.select("td:nth-child(3)")}, "bob's"
    assert {cell["data-label"] for cell in table.select("td:nth-child(6)")} == {"GPU hours"}
    italian = await site.page("/hub/berth/usage", accept_language="it")
    heading = italian.select_one("h1")
    assert heading is not None
    assert heading.get_text() == "Le risorse usate"
    home = await site.page("/hub/home")
    assert home.select_one("a[href='/hub/berth/usage']") is not None
    history = await site.page("/hub/berth/history")
    assert history.select_one("a[href='/hub/berth/usage']") is not None


async def test_a_page_without_figures_opens_again_by_itself(stage: Stage) -> None:
    stage.service.usage = Answering(Known())  # type: ignore[assignment]
    page = await Website(stage).page("/hub/berth/usage")
    assert page.select_one("meta[http-equiv=refresh]") is not None
    stage.service.usage = Answering(Known({}, DECEMBER))  # type: ignore[assignment]
    page = await Website(stage).page("/hub/berth/usage")
    assert page.select_one("meta[http-equiv=refresh]") is None
    assert "You had no session in the last 3 months." in page.get_text()


async def test_with_accounting_disabled_nobody_is_asked(stage: Stage) -> None:
    answering = Answering(Known(ROWS, NOVEMBER))
    stage.service.usage = answering  # type: ignore[assignment]
    controller = records.parse_controller(recorded("24.11", "config-without-accounting.txt"))
    stage.collector.snapshot = snapshot(controller=controller)
    page = await Website(stage).page("/hub/berth/usage")
    assert "keeps no accounting" in page.get_text()
    assert answering.asked == 0


async def test_a_site_may_have_no_such_page(stage: Stage) -> None:
    stage.service.hub = stage.service.hub.model_copy(update={"usage_months": 0})
    site = Website(stage)
    assert (await site.get("/hub/berth/usage")).code == 404
    home = await site.page("/hub/home")
    assert home.select_one("a[href='/hub/berth/usage']") is None


async def test_who_is_not_logged_in_sees_nothing(stage: Stage) -> None:
    site = Website(stage)
    site.user = None
    assert (await site.get("/hub/berth/usage")).code in {302, 403}


# --- the command ------------------------------------------------------------------------------------------


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """The hub's settings."""
    hub = {
        "public_url": "https://hub.example.org",
        "session_hub_url": "https://hub.example.org:8444",
        "slurm": {"partition": "interactive"},
    }
    form = {
        name: {"default": value, "choices": [value]}
        for name, value in {"cores": 1, "memory": "1G", "gpus": 0, "time": "01:00:00"}.items()
    }
    interface = {"name": "lab", "title": "JupyterLab", "url": "/lab"}
    (tmp_path / "hub.yml").write_text(yaml.safe_dump(hub), encoding="utf-8")
    (tmp_path / "form.yml").write_text(yaml.safe_dump({**form, "interfaces": [interface]}), encoding="utf-8")
    return tmp_path


def command(etc: Path, *arguments: str) -> int:
    import argparse  # noqa: PLC0415

    parser = argparse.ArgumentParser()
    cli.register(parser)
    return cli.run(parser.parse_args([*arguments, "--settings", str(etc)]))


@pytest.fixture
def _november(monkeypatch: pytest.MonkeyPatch) -> None:
    async def sessions(*_: Any) -> list[Job]:
        return [
            session(NOVEMBER + DAY, 3),
            session(NOVEMBER + DAY, 1.5, user="bob", account="proj_b", usage_complete=False),
        ]

    monkeypatch.setattr(query, "sessions", sessions)


NOVEMBER_DAYS = ("--from", "2026-11-01", "--until", "2026-12-01")


@pytest.mark.usefixtures("_november")
def test_csv_has_the_documented_columns_and_leaves_empty_what_is_not_known(
    etc: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(etc, *NOVEMBER_DAYS, "--by", "user,account", "--csv") == 0
    printed = capsys.readouterr().out
    assert printed == (
        "user,account,sessions,hours,gpu_hours,core_hours,cpu_efficiency,memory_efficiency\n"
        "alice,proj_a,1,3.0,3.0,6.0,0.5,0.25\n"
        "bob,proj_b,1,1.5,1.5,3.0,,\n"
    )
    assert len(list(csv.DictReader(io.StringIO(printed)))) == 2


@pytest.mark.usefixtures("_november")
def test_json_says_what_it_is_about(etc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(etc, *NOVEMBER_DAYS, "--by", "month", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    rows = found.pop("rows")
    assert found == {"from": "2026-11-01", "until": "2026-12-01", "partition": "interactive", "by": ["month"]}
    assert rows == [
        {
            "month": "2026-11", "sessions": 2, "hours": 4.5, "gpu_hours": 4.5, "core_hours": 9.0,
            "cpu_efficiency": 0.5, "memory_efficiency": 0.25,
        }
    ]  # fmt: skip


@pytest.mark.usefixtures("_november")
def test_people_get_a_table(etc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(etc, *NOVEMBER_DAYS) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["user", *cli.COLUMNS]
    assert lines[2].split() == ["bob", "1", "1.50", "1.50", "3.00", "-", "-"]
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from", "November"), "'November' is not a date; write 2026-11-01"),
        (("--by", "user,user"), "each once"),
        (("--by", "node"), "write one or more of user, account, month"),
        (("--csv", "--json"), "not allowed with"),
    ],
)
def test_a_wrong_option_gets_a_sentence(
    etc: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        command(etc, *arguments)
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


def test_a_period_that_ends_before_it_begins_is_refused(
    etc: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(etc, "--from", "2026-12-01", "--until", "2026-12-01") == 1
    assert "it has to be later than --from 2026-12-01" in capsys.readouterr().err


def test_what_slurm_does_not_answer_is_said_and_nothing_is_printed(
    etc: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def sessions(*_: Any) -> list[Job]:
        raise SlurmUnavailable("sacct did not answer within 30 seconds")

    monkeypatch.setattr(query, "sessions", sessions)
    assert command(etc, *NOVEMBER_DAYS, "--csv") == 1
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "sacct did not answer within 30 seconds\n")


def test_the_page_explains_every_figure_in_both_languages() -> None:
    for code in text.LANGUAGES:
        entries = text._catalogue(code)
        columns = {key for key in entries if key.startswith("usage.column_")} - {
            "usage.column_month",
            "usage.column_account",
        }
        assert {key.replace("column", "means") for key in columns} <= set(entries)
