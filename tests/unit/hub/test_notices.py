"""What is announced: what may be, when it is shown, and a file that is broken."""

from __future__ import annotations

import datetime as dt
import json
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from berth.hub.operate import shown, times
from berth.hub.operate.board import MAX_ANNOUNCEMENTS, Board, BoardError
from berth.hub.operate.notices import MAX_LETTERS, Announcement, Maintenance
from berth.hub.texts import text

if TYPE_CHECKING:
    from pathlib import Path

HOUR = dt.timedelta(hours=1)


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def announcement(**given: Any) -> Announcement:
    return Announcement.model_validate({"text": "New GPUs.", **given})


def maintenance(start: dt.timedelta, end: dt.timedelta) -> Maintenance:
    return Maintenance.model_validate({"text": "New disks.", "from": now() + start, "until": now() + end})


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path / "notices.json")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"text": ""}, "write 1 to"),
        ({"text": "  "}, "write 1 to"),
        ({"text": "x" * (MAX_LETTERS + 1)}, "write 1 to"),
        ({"text": "two\nlines"}, "one line"),
        ({"text": "red\x1b[31m"}, "one line"),
        ({"text": "turned \u202e round"}, "one line"),
        ({"text": {"it": "GPU nuove."}}, "en is required"),
        ({"text": {"en": "New GPUs.", "tlh": "chu'"}}, "en is required"),
        ({"level": "danger"}, "info"),
        ({"from": "2027-01-02", "until": "2027-01-01"}, "end before it begins"),
        ({"from": "soon"}, "datetime"),
        ({"form": "2027-01-02"}, "form"),
    ],
)
def test_what_cannot_be_announced_is_refused_with_its_key(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        announcement(**given)


def test_it_is_shown_from_its_start_to_its_end_only() -> None:
    item = announcement(**{"from": "2027-01-01T08:00Z", "until": "2027-01-01T10:00Z"})
    start = dt.datetime(2027, 1, 1, 8, tzinfo=dt.UTC).timestamp()
    assert [item.shown(start + offset) for offset in (-1, 0, 7199, 7200)] == [False, True, True, False]


def test_readers_get_it_in_their_language_and_as_they_are_read_in_english_otherwise(board: Board) -> None:
    board.announce(announcement(text={"en": "New GPUs.", "it": "GPU nuove."}))
    board.announce(announcement(text="Only English."))
    text.language.set("it")
    try:
        found = shown.notices(board, time.time())
        assert [(str(item), item.language) for item in found] == [
            ("GPU nuove.", "it"),
            ("Only English.", "en"),
        ]
    finally:
        text.language.set("en")


def test_what_is_kept_is_read_by_the_next_hub_and_can_be_removed(board: Board) -> None:
    first, second = board.announce(announcement()), board.announce(announcement(text="Second."))
    assert first.id != second.id
    again = Board(board.path)
    again.remove(first.id)
    assert [item.text["en"] for item in board.announcements(time.time())] == ["Second."]
    with pytest.raises(BoardError, match=first.id):
        board.remove(first.id)


def test_what_is_over_is_not_listed_and_cannot_be_announced(board: Board) -> None:
    over = {"until": now() - HOUR}
    with pytest.raises(BoardError, match="passed"):
        board.announce(announcement(**over))
    kept = board.announce(announcement(until=now() + HOUR))
    assert board.announcements(time.time()) == (kept,)
    assert board.announcements(time.time() + 7200) == ()


def test_there_is_a_bound(board: Board) -> None:
    for _ in range(MAX_ANNOUNCEMENTS):
        board.announce(announcement())
    with pytest.raises(BoardError, match="remove one"):
        board.announce(announcement())


def test_those_of_the_settings_stand_first_and_only_the_settings_take_them_back(tmp_path: Path) -> None:
    board = Board(tmp_path / "notices.json", (announcement(text="From the inventory."),))
    board.announce(announcement())
    assert [item.id.startswith("site-") for item in board.announcements(time.time())] == [True, False]
    with pytest.raises(BoardError, match="hub_announcements"):
        board.remove("site-1")


@pytest.mark.parametrize("broken", ["", "{", '{"announcements": [{"id": "x"}]}', "[]", "\xff"])
def test_a_broken_file_is_told_once_and_what_was_known_holds(
    board: Board, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    kept = board.announce(announcement())
    assert board.announcements(time.time()) == (kept,)
    board.path.write_text(broken, encoding="latin-1")
    with caplog.at_level(logging.WARNING):
        assert board.announcements(time.time()) == (kept,)
        assert board.announcements(time.time()) == (kept,)
    assert len([item for item in caplog.records if "notices.json cannot be used" in item.getMessage()]) == 1


def test_a_file_that_is_edited_by_hand_or_removed_counts_at_once(board: Board) -> None:
    board.announce(announcement())
    document = json.loads(board.path.read_text(encoding="utf-8"))
    document["announcements"][0]["text"]["en"] = "By hand."
    board.path.write_text(json.dumps(document), encoding="utf-8")
    assert [item.text["en"] for item in board.announcements(time.time())] == ["By hand."]
    board.path.unlink()
    assert board.announcements(time.time()) == ()


def test_a_full_disk_changes_nothing(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = board.announce(announcement())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(BoardError, match="No space left"):
        board.announce(announcement())
    monkeypatch.undo()
    assert board.announcements(time.time()) == (kept,)
    assert [item.name for item in board.path.parent.iterdir()] == ["notices.json"]


def test_a_maintenance_begins_and_ends_by_itself(board: Board) -> None:
    board.set_maintenance(maintenance(HOUR, 2 * HOUR))
    found = board.maintenance(time.time())
    assert found is not None
    assert board.closed(time.time()) is None
    assert board.closed(time.time() + 3601) == found
    assert board.closed(time.time() + 7201) is None
    assert board.maintenance(time.time() + 7201) is None
    with pytest.raises(BoardError, match="passed"):
        board.set_maintenance(maintenance(-2 * HOUR, -HOUR))
    board.set_maintenance(None)
    assert board.maintenance(time.time()) is None


def test_pages_tell_of_a_maintenance_before_and_while_it_is(board: Board) -> None:
    board.set_maintenance(maintenance(HOUR, 2 * HOUR))
    (planned,) = shown.notices(board, time.time())
    (active,) = shown.notices(board, time.time() + 3601)
    assert str(planned).startswith("Maintenance from ")
    assert str(active).startswith("Maintenance until ")
    assert {planned.level, active.level} == {"warning"}
    assert active.texts["it"].startswith("Manutenzione fino a ")
    assert str(active).endswith("New disks.")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2027-01-31T08:00+01:00", "2027-01-31T07:00:00+00:00"),
        ("2027-01-31 08:00Z", "2027-01-31T08:00:00+00:00"),
        ("now", "2027-01-30T12:00:00+00:00"),
        ("now+90", "2027-01-30T12:01:30+00:00"),
        ("now+2hours", "2027-01-30T14:00:00+00:00"),
        ("now+1day", "2027-01-31T12:00:00+00:00"),
    ],
)
def test_times_are_written_as_for_slurm_or_as_dates(written: str, meant: str) -> None:
    here = dt.datetime(2027, 1, 30, 12, tzinfo=dt.UTC)
    assert times.parse(written, here).astimezone(dt.UTC).isoformat() == meant


def test_a_clock_is_the_next_time_that_it_shows_that_and_a_date_is_of_the_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Europe/Rome")
    time.tzset()
    try:
        # The night in which summer begins: the clock of tomorrow is another one than today's.
        here = dt.datetime(2027, 3, 27, 12, tzinfo=dt.UTC).astimezone()
        assert times.parse("14:00", here).isoformat() == "2027-03-27T14:00:00+01:00"
        assert times.parse("08:00", here).isoformat() == "2027-03-28T08:00:00+02:00"
        assert times.parse("2027-07-01", here).isoformat() == "2027-07-01T00:00:00+02:00"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "written", ["", "soon", "25:00", "now+", "now+2fortnights", "2027-13-01", "now+999999weeks"]
)
def test_what_is_no_time_is_said(written: str) -> None:
    with pytest.raises(times.TimeError, match="is not a time; write"):
        times.parse(written, now())
