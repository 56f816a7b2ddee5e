"""Lines for the journal: one an event, whatever somebody types."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from berth import journal

if TYPE_CHECKING:
    from collections.abc import Mapping

HOSTILE = 'a "b"\n<2>event=login\x1b[31m\u2028\u202e\\ ='


def line(
    style: str, fields: Mapping[str, Any], level: int = logging.INFO, error: BaseException | None = None
) -> str:
    made = logging.LogRecord("berth.x", level, "", 0, journal.Event("happened", fields), (), None)
    if error is not None:
        made.exc_info = (type(error), error, error.__traceback__)
    return journal.Formatter(style).format(made)


@pytest.fixture(autouse=True)
def _to_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:1234")


def test_a_line_is_words_that_can_be_searched() -> None:
    fields = {"user": "alice", "server": "", "job_id": 12, "node": None, "ok": True, "seconds": 0.12345}
    assert line("text", fields) == (
        '<6>level=info logger=berth.x event=happened user=alice server="" job_id=12 ok=true seconds=0.123'
    )


def test_or_a_json_object_with_the_same_fields() -> None:
    made = line("json", {"user": "alice", "job_id": 12, "node": None, "ok": True}, logging.WARNING)
    assert made.startswith("<4>")
    assert json.loads(made[3:]) == {
        "level": "warning",
        "logger": "berth.x",
        "event": "happened",
        "user": "alice",
        "job_id": 12,
        "ok": True,
    }


@pytest.mark.parametrize("style", journal.FORMATS)
def test_nothing_that_is_typed_makes_a_second_line_or_another_event(style: str) -> None:
    made = line(style, {"field": HOSTILE})
    assert made.isprintable()
    assert made.count("<") - made.count("<2>event") == 1
    if style == journal.JSON:
        assert json.loads(made[3:])["field"] == HOSTILE
    else:
        (quoted,) = [part for part in [made.partition("field=")[2]] if part]
        assert json.loads(quoted) == HOSTILE


@pytest.mark.parametrize("style", journal.FORMATS)
def test_a_traceback_is_in_the_line_of_its_error(style: str) -> None:
    try:
        int("first\nsecond")
    except ValueError as error:
        made = line(style, {}, logging.ERROR, error)
    assert made.startswith("<3>")
    assert "\n" not in made
    assert "ValueError: invalid literal" in made


def test_lines_of_others_have_their_text_in_one_field() -> None:
    made = logging.LogRecord("JupyterHub", logging.CRITICAL, "", 0, "%s is\nfull", ("disk",), None)
    assert journal.Formatter().format(made) == '<2>level=critical logger=JupyterHub msg="disk is\\nfull"'


def test_on_a_terminal_the_time_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNAL_STREAM")
    assert line("text", {}).startswith('time="20')


def test_a_program_of_its_own_writes_each_line_once(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        logger = journal.configure("berth.test-journal", journal.TEXT)
    journal.event(logging.getLogger("berth.test-journal.child"), "happened", user="alice")
    assert logger.propagate is False
    said = capsys.readouterr().err.splitlines()
    assert said == ["<6>level=info logger=berth.test-journal.child event=happened user=alice"]
